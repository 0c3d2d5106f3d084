"""Whoever leaves first: a client in the middle of its input, a container under its clients, a pod under its connections."""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from e2e.node import Node, log_lines
from e2e.streaming_client import TRANSPORTS, built_client
from e2e.streaming_client.urls import attach_url, exec_url, interactive, serve
from e2e.test_exec_attach_forward import (
    TICKS,
    forwarded,
    run,
    talk,
    wait,
    wait_listening,
    watcher,
)

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)
TOO_SLOW = "the client reads too slowly"


def said(node: Node, words: str) -> int:
    """Return how often the daemon has logged words; other tests' lines are in the same log."""
    return node.daemon.log.read_text().count(words)


def contains(path: Path, words: bytes) -> bool:
    """Tell whether a file has words in it."""
    return words in path.read_bytes()


@each_transport
def test_a_client_that_vanishes_in_the_middle_of_its_input_ends_it(
    node: Node, transport: str
) -> None:
    container = node.run().started()
    script = "head -c 1000000 >/dev/null; echo flows; wc -c >/tmp/rest"
    url = exec_url(node, container, "sh", "-c", script, stdin=True)
    words = [str(built_client()), "command", "-transport", transport, "-stdin", url]
    with Path("/dev/zero").open("rb") as endless:
        process = subprocess.Popen(words, stdin=endless, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"flows\n"
    process.kill()
    process.communicate()
    rest = "test -s /tmp/rest"
    wait(lambda: node.client.exec_sync(container, ["sh", "-c", rest]).exit_code == 0)


@each_transport
def test_a_container_that_stops_ends_all_its_clients(node: Node, transport: str) -> None:
    container = interactive(node.run(), "sh", "-c", TICKS)
    attached = watcher(node, container, transport)
    words = [str(built_client()), "command", "-transport", transport]
    script = "echo begun; exec sleep 1000"
    for tty in (False, True):
        flags = ["-stdin", "-tty"] if tty else []
        url = exec_url(node, container, "sh", "-c", script, stdin=tty, tty=tty)
        exec_client = subprocess.Popen(
            [*words, *flags, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert exec_client.stdout is not None
        assert exec_client.stdout.readline().strip() == b"begun"
        if not tty:
            plain = exec_client
    node.client.stop(container)
    assert plain.wait(60) == 137
    assert exec_client.wait(60) == 137
    assert attached.wait(60) == 0
    for process in (plain, exec_client, attached):
        process.communicate()


@each_transport
def test_one_stuck_client_of_several_is_given_up_alone(
    node: Node, transport: str, tmp_path: Path
) -> None:
    pod = node.run()
    # In pieces: a reader that gets no processor for a second or two must not pass for a stuck one.
    piece = f"yes {'x' * 1000} | head -c 200200; sleep 0.05"
    pour = f"for i in $(seq 100); do {piece}; done; echo finished"
    known = said(node, TOO_SLOW)
    container = interactive(pod, "sh", "-c", f"{TICKS}; {pour}; sleep 1000")
    stuck = watcher(node, container, transport)  # and never reads again
    words = [str(built_client()), "command", "-transport", transport]
    outputs = [tmp_path / f"reader-{number}" for number in range(2)]
    readers = []
    for path in outputs:
        with path.open("wb") as file:  # a file takes whatever comes; a test that reads may be late
            readers.append(subprocess.Popen([*words, attach_url(node, container)], stdout=file))
        wait(partial(contains, path, b"tick"))
    run(["-stdin"], attach_url(node, container, stdin=True), stdin=b"go\n")
    for path in outputs:
        wait(partial(contains, path, b"\nfinished\n"), 120)
        assert path.read_bytes().count(b"x") == 20_000_000
    log = f"{pod.config.log_directory}/main/0.log"
    wait(lambda: any(line.text == "finished" for line in log_lines(log)[-3:]), seconds=60)
    for process in (stuck, *readers):
        process.kill()
        process.communicate()
    wait(lambda: said(node, TOO_SLOW) == known + 1)


@each_transport
def test_a_connection_that_the_pod_resets_is_logged_and_spares_the_others(
    node: Node, transport: str, tmp_path: Path
) -> None:
    pod = node.run()
    # The server ends with the rest of what came unread, so the end of its connection is a reset.
    one_byte = serve(8080, "dd bs=1 count=1 of=/dev/null")
    container = pod.shell(f"{serve(8081, 'cat')} & {one_byte}")
    for port in (8080, 8081):
        wait_listening(node, container, port)
    log = tmp_path / "log"
    words = "a connection to port 8080 was broken by the pod"
    known = said(node, words)
    with (
        forwarded(node, pod.id, 8080, transport, log) as local,
        socket.create_connection(("127.0.0.1", local), 30) as broken,
    ):
        broken.sendall(b"never read")
        with suppress(ConnectionError):
            assert broken.recv(100) == b""
        wait(lambda: said(node, words) == known + 1)
        with socket.create_connection(("127.0.0.1", local), 30) as another:
            another.sendall(b"still forwarded")
            wait(lambda: said(node, words) == known + 2)
        assert b"lost connection" not in log.read_bytes()
    with forwarded(node, pod.id, 8081, transport, tmp_path / "log2") as local:
        assert talk(local, b"fine") == b"fine"
