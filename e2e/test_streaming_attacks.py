"""Streaming clients that are broken, slow, hostile or many: nothing crashes, leaks, or keeps others out."""

from __future__ import annotations

import random
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_frames import FrameType
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame
from e2e.node import Node
from e2e.streaming_client import built_client, run_reports
from e2e.streaming_client.urls import (
    Holdings,
    attach_url,
    exec_url,
    forward_url,
    holdings,
    interactive,
)

SPDY_HEAD = (
    "POST {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    "X-Stream-Protocol-Version: {}\r\n\r\n"
)
WEBSOCKET_HEAD = (
    "GET {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: {}\r\n\r\n"
)
V4 = "v4.channel.k8s.io"


def connect(url: str) -> socket.socket:
    """Connect to the server of a URL."""
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 0), 10)


def answer(connection: socket.socket) -> bytes:
    """Read until the server has said something, or hung up."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


@contextmanager
def upgraded(url: str, head: str = SPDY_HEAD, protocol: str = V4) -> Iterator[socket.socket]:
    """Begin a session by hand."""
    with connect(url) as connection:
        connection.sendall(head.format(urlsplit(url).path, protocol).encode())
        assert answer(connection).startswith(b"HTTP/1.1 101")
        yield connection


def settles(node: Node, before: Holdings, *, seconds: float = 20) -> None:
    """Wait until descriptors and threads are as before."""
    deadline = time.monotonic() + seconds
    now = holdings(node)
    while (now.descriptors, now.threads) > (before.descriptors, before.threads + 2):
        assert time.monotonic() < deadline, f"held before {before}, now {now}"
        time.sleep(0.1)
        now = holdings(node)


def works(node: Node, container: str) -> None:
    """Check that an honest client is served."""
    (report,) = run_reports([exec_url(node, container, "echo", "fine")])
    assert (report.code, report.stdout_bytes) == (0, 5)


def test_noise_breaks_nothing(node: Node) -> None:
    pod = node.run()
    container = pod.started()
    works(node, container)
    before = holdings(node)
    dice = random.Random(20)
    for _ in range(100):
        with connect(exec_url(node, container, "true")) as connection:
            connection.sendall(dice.randbytes(dice.randrange(1, 400)))
        with upgraded(exec_url(node, container, "cat", stdin=True)) as connection:
            connection.sendall(mutated_spdy(dice))
            connection.shutdown(socket.SHUT_WR)
            answer(connection)
        url = exec_url(node, container, "cat", stdin=True)
        with upgraded(url, WEBSOCKET_HEAD, "v5.channel.k8s.io") as connection:
            connection.sendall(websocket_frame(b"\x00in") + dice.randbytes(40))
        url = forward_url(node, pod.id)
        with upgraded(url, WEBSOCKET_HEAD, "SPDY/3.1+portforward.k8s.io") as connection:
            connection.sendall(websocket_frame(mutated_spdy(dice)))
    works(node, container)
    settles(node, before, seconds=60)


def mutated_spdy(dice: random.Random) -> bytes:
    """Return a conversation with a few wrong bytes."""
    peer = SpdyPeer()
    names = ("error", "stdin", "stdout", "stderr")
    talk = bytearray(
        b"".join(peer.open(1 + 2 * i, streamtype=name) for i, name in enumerate(names))
    )
    talk += spdy_frames.data_frame(3, b"hello", fin=True)
    for _ in range(dice.randrange(4)):
        talk[dice.randrange(len(talk))] = dice.randrange(256)
    return bytes(talk)


def test_sizes_in_frames_are_not_believed(node: Node) -> None:
    container = node.run().started()
    works(node, container)
    before = holdings(node)
    settings = spdy_frames.control_frame(FrameType.SETTINGS, b"\xff\xff\xff\xff")
    bomb = spdy_frames.syn_stream(1, SpdyPeer().compressed(bytes(100 << 20))[:60000])
    many = SpdyPeer().compressed(struct.pack(">I", 2**32 - 1))
    for frame in (bomb, spdy_frames.syn_stream(1, many), b"\x80\x03\x00\x04\x00\xff\xff\xff"):
        with upgraded(exec_url(node, container, "true")) as connection:
            connection.sendall(settings + frame)
            assert answer(connection)[:4] == b"\x80\x03\x00\x07"  # GOAWAY
            assert answer(connection) == b""
    settles(node, before)
    assert holdings(node).resident_kb < before.resident_kb + 20_000


def test_tokens_cannot_be_guessed_or_used_twice(node: Node) -> None:
    container = node.run().started()
    url = exec_url(node, container, "true")
    guesses = [url[:-22] + secrets.token_urlsafe(16) for _ in range(200)]
    with upgraded(url):
        for wrong in (*guesses, url, url[:-1], url.replace("exec", "attach")):
            with connect(wrong) as connection:
                connection.sendall(SPDY_HEAD.format(urlsplit(wrong).path, V4).encode())
                assert answer(connection).startswith(b"HTTP/1.1 404")
    assert urlsplit(url).path.rpartition("/")[2] not in node.daemon.log.read_text()


def test_silent_connections_keep_nobody_out(node: Node) -> None:
    container = node.run().started()
    works(node, container)
    before = holdings(node)
    with ExitStack() as stack:
        url = exec_url(node, container, "true")
        for number in range(400):
            silent = stack.enter_context(connect(url))
            silent.sendall(b"GET / HTTP/1.1\r\n"[: number % 16])
        works(node, container)
        assert holdings(node).descriptors < before.descriptors + 250
    settles(node, before)


def test_sessions_leave_nothing(node: Node) -> None:
    pod = node.run()
    container = pod.started()
    attached = interactive(pod, "cat", name="attached")
    works(node, container)
    before = holdings(node)
    for _ in range(10):
        urls = [exec_url(node, container, "sh", "-c", "sleep 9d &") for _ in range(50)]
        assert {report.code for report in run_reports(urls)} == {0}
    urls = [exec_url(node, container, "/no/file", stdin=True, tty=True) for _ in range(50)]
    assert {report.code for report in run_reports(urls, "-tty", "-stdin")} == {-1}
    for _ in range(50):
        with upgraded(attach_url(node, attached, stdin=True)) as connection:
            peer = SpdyPeer()
            names = ("error", "stdin", "stdout", "stderr")
            talk = [peer.open(1 + 2 * i, streamtype=name) for i, name in enumerate(names)]
            connection.sendall(b"".join(talk))
            answer(connection)
    settles(node, before)


def test_two_hundred_idle_sessions_are_cheap(node: Node) -> None:
    container = node.run().started()
    works(node, container)
    begin = holdings(node)
    urls = [exec_url(node, container, "sleep", "1000", stdin=True) for _ in range(200)]
    words = [str(built_client()), "command", "-report", "-stdin", "-limit", "90s", *urls]
    client = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while node.client.exec_sync(container, ["ps"]).stdout.count(b"sleep 1000") < 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        each = (holdings(node).resident_kb - begin.resident_kb) / 200
        print(f"{each:.0f} KB for each idle session")
        assert each < 50
    finally:
        client.kill()
        client.wait()
    node.client.stop(container)
    settles(node, begin)
