"""Streaming clients that are broken, slow, hostile or many: nothing crashes, leaks, or keeps others out (rules G2 to G5)."""

from __future__ import annotations

import random
import secrets
import socket
import struct
import subprocess
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_frames import FrameType
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame
from e2e.conftest import PEER
from e2e.looking_inside import LIST_OWN
from e2e.node import Node
from e2e.streaming_client import built_client, run_reports
from e2e.streaming_client.by_hand import (
    SPDY_HEAD,
    V4,
    WEBSOCKET_HEAD,
    SpdyByHand,
    answer,
    connect,
    head_for,
    upgraded,
)
from e2e.streaming_client.urls import (
    Holdings,
    attach_url,
    exec_url,
    forward_url,
    holdings,
    interactive,
)
from e2e.test_exec_attach_forward import on_a_terminal, run, wait

pytestmark = pytest.mark.skipif(PEER, reason="looks into Lading's own process")
NAMES = ("error", "stdin", "stdout", "stderr")
TOKEN_LIFE = 60.0


def settles(node: Node, before: Holdings, *, seconds: float = 60) -> None:
    """Wait until descriptors, threads, tasks and sessions are as before."""
    deadline = time.monotonic() + seconds
    while (now := holdings(node)).exceeds(before):
        assert time.monotonic() < deadline, f"held before {before}, now {now}"
        time.sleep(0.1)


def works(node: Node, container: str) -> None:
    """Check that an honest client is served."""
    (report,) = run_reports([exec_url(node, container, "echo", "fine")])
    assert (report.code, report.stdout_bytes) == (0, 5)


@pytest.mark.parametrize("kind", ["http", "spdy", "websocket", "tunnel"])
def test_g3_noise_breaks_nothing_and_leaves_nothing(node: Node, kind: str) -> None:
    pod = node.run()
    container = pod.started()
    works(node, container)
    noise = {
        "http": broken_http,
        "spdy": broken_spdy,
        "websocket": broken_websocket,
        "tunnel": broken_tunnel,
    }[kind]
    dice = random.Random(20)
    before = holdings(node)
    sizes: list[int] = []
    # The first hundred fills caches, as many as lay on one another on a busy machine; a leak would go on.
    while len(sizes) < 3 or sizes[-1] >= sizes[-3] + 3000:
        assert len(sizes) < 9, f"{kind}: resident KB grow on: {sizes}"
        for _ in range(100):
            noise(node, pod.id, container, dice)
        settles(node, before)
        sizes.append(holdings(node).resident_kb)
    works(node, container)
    print(f"{kind}: resident KB before {before.resident_kb}, after each hundred {sizes}")


def broken_http(node: Node, pod: str, container: str, dice: random.Random) -> None:
    """Send a request with a few wrong bytes, or nothing like one."""
    url = exec_url(node, container, "true")
    head = bytearray(head_for(url, dice.choice((SPDY_HEAD, WEBSOCKET_HEAD)), V4))
    for _ in range(dice.randrange(1, 6)):
        head[dice.randrange(len(head))] = dice.randrange(256)
    wrong = (
        bytes(head),
        bytes(head[: dice.randrange(len(head))]),
        dice.randbytes(dice.randrange(1, 400)),
        b"GET / HTTP/1.1\r\n" + b"A: " + b"a" * 70_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    )
    with connect(url) as connection:
        try:
            connection.sendall(dice.choice(wrong))
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # refused before it was all sent
        said = answer(connection)
        assert not said.startswith(b"HTTP/1.1 3")
        assert said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 101")) or said == b""


def broken_spdy(node: Node, pod: str, container: str, dice: random.Random) -> None:
    """Send a conversation with a few wrong bytes and hang up."""
    with upgraded(exec_url(node, container, "cat", stdin=True)) as connection:
        connection.sendall(mutated_spdy(dice))
        connection.shutdown(socket.SHUT_WR)
        answer(connection)


def broken_websocket(node: Node, pod: str, container: str, dice: random.Random) -> None:
    """Send one good message and then anything."""
    url = exec_url(node, container, "cat", stdin=True)
    protocol = dice.choice(("v5.channel.k8s.io", V4, "v4.base64.channel.k8s.io"))
    with upgraded(url, WEBSOCKET_HEAD, protocol) as connection:
        connection.sendall(websocket_frame(b"\x00in") + dice.randbytes(dice.randrange(60)))


def broken_tunnel(node: Node, pod: str, container: str, dice: random.Random) -> None:
    """Send mutated SPDY inside of WebSocket frames, sometimes mutated themselves."""
    url = forward_url(node, pod)
    with upgraded(url, WEBSOCKET_HEAD, "SPDY/3.1+portforward.k8s.io") as connection:
        frame = bytearray(websocket_frame(mutated_spdy(dice)))
        if dice.randrange(3) == 0:
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        connection.sendall(frame)


def mutated_spdy(dice: random.Random) -> bytes:
    """Return a conversation with a few wrong bytes."""
    peer = SpdyPeer()
    talk = bytearray(
        b"".join(peer.open(1 + 2 * i, streamtype=name) for i, name in enumerate(NAMES))
    )
    talk += spdy_frames.data_frame(3, b"hello", fin=True)
    for _ in range(dice.randrange(4)):
        talk[dice.randrange(len(talk))] = dice.randrange(256)
    return bytes(talk)


def test_g3_sizes_in_frames_are_not_believed(node: Node) -> None:
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


def test_g4_tokens_cannot_be_guessed_or_used_twice_or_late(node: Node) -> None:
    container = node.run().started()
    late = exec_url(node, container, "true")
    issued = time.monotonic()
    url = exec_url(node, container, "true")
    guesses = [url[:-22] + secrets.token_urlsafe(16) for _ in range(2000)]
    with upgraded(url):
        for wrong in (url, url[:-1], url.replace("exec", "attach"), url + "/", url + "%00"):
            assert status(wrong).startswith(b"HTTP/1.1 404")
        begin = time.monotonic()
        assert {status(wrong)[:12] for wrong in guesses} == {b"HTTP/1.1 404"}
        rate = len(guesses) / (time.monotonic() - begin)
        assert node.client.version(timeout=30).runtime_name
    # A thousand tokens may wait, each for a minute.
    print(f"{rate:.0f} guesses/s: one in {2**128 / (rate * 1000 * TOKEN_LIFE):.0e} minutes hits")
    wait(lambda: time.monotonic() - issued > TOKEN_LIFE + 0.5, 2 * TOKEN_LIFE)
    assert status(late).startswith(b"HTTP/1.1 404")
    log = node.daemon.log.read_text()
    for one in (url, late):
        assert urlsplit(one).path.rpartition("/")[2] not in log


def status(url: str) -> bytes:
    """Ask once and return the answer."""
    with connect(url) as connection:
        connection.sendall(head_for(url, SPDY_HEAD, V4))
        return answer(connection)


def test_silent_and_slow_connections_keep_nobody_out(node: Node) -> None:
    container = node.run().started()
    works(node, container)
    before = holdings(node)
    with ExitStack() as stack:
        url = exec_url(node, container, "true")
        slow = []
        for number in range(400):
            silent = stack.enter_context(connect(url))
            silent.sendall(b"GET / HTTP/1.1\r\n"[: number % 16])
            slow.append(silent)
        works(node, container)
        full = holdings(node)
        assert full.descriptors < before.descriptors + 250
        waits = []
        for _ in range(12):
            for drip in slow:
                with_more(drip)
            begin = time.monotonic()
            works(node, container)
            waits.append(time.monotonic() - begin)
            time.sleep(0.5)  # a slow client's pace, not a wait for anything
        print(
            f"400 slow clients: {full.descriptors - before.descriptors} descriptors,"
            f" {full.resident_kb - before.resident_kb} KB; an exec beside them took"
            f" {min(waits):.2f} to {max(waits):.2f} s with its client"
        )
        # Whoever has sent no head after ten seconds is gone, however busily it drips.
        wait(lambda: holdings(node).descriptors <= before.descriptors)
    settles(node, before)


def with_more(drip: socket.socket) -> None:
    """Send one more byte of a head that never ends."""
    try:
        drip.sendall(b"x")
    except OSError:
        return  # cut off


def test_g2_sessions_leave_nothing(node: Node) -> None:
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
            client = SpdyByHand(connection)
            for name in NAMES:
                client.open(streamtype=name)
            answer(connection)
    settles(node, before)


def test_two_hundred_idle_sessions_are_cheap(node: Node) -> None:
    container = node.run().started()
    works(node, container)
    begin = holdings(node)
    urls = [exec_url(node, container, "sleep", "1000", stdin=True) for _ in range(200)]
    words = [str(built_client()), "command", "-report", "-stdin", "-limit", "5m", *urls]
    client = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
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


# --- G5: what an exec with streams gets


@pytest.mark.parametrize("transport", ["spdy", "websocket"])
def test_g5_exec_with_streams_has_three_descriptors(each_node: Node, transport: str) -> None:
    container = each_node.run().started()
    url = exec_url(each_node, container, "sh", "-c", LIST_OWN, stdin=True)
    done = run(["-stdin"], url, transport=transport)
    assert done.stdout.split() == [b"0", b"1", b"2"]


def test_g5_exec_with_terminal_has_three_descriptors(each_node: Node) -> None:
    container = each_node.run().started()
    script = f"tty; read line; echo; {LIST_OWN}"
    url = exec_url(each_node, container, "sh", "-c", script, stdin=True, tty=True)
    words = [str(built_client()), "command", "-stdin", "-tty", url]
    output = on_a_terminal(words, b"\n", columns=80, rows=24)
    assert output.split(b"\n")[-1].split() == [b"0", b"1", b"2"]
