"""What ends a session or refuses one: nothing moves, streams do not come, there are too many."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from e2e.conftest import HANDLERS, PEER
from e2e.daemon import Lading
from e2e.images.catalogue import BUSYBOX
from e2e.node import Node, refused, wait_program
from e2e.session import Session
from e2e.streaming_client import TRANSPORTS, built_client
from e2e.streaming_client.by_hand import (
    PORT_FORWARD,
    SPDY_HEAD,
    SpdyByHand,
    answer,
    begin,
    connect,
    head_for,
    upgraded,
)
from e2e.streaming_client.urls import (
    attach_url,
    exec_url,
    forward_url,
    gauges,
    holdings,
    interactive,
    serve,
)
from e2e.test_exec_attach_forward import forwarded, wait, wait_listening

pytestmark = pytest.mark.skipif(PEER, reason="about Lading's own settings")
IDLE = 3
CREATION_SECONDS = 30
WAITING_LIMIT = 1000
SESSION_LIMIT = 2000
COUNT = "for i in $(seq 40); do echo $i; sleep 0.2; done"
"""Takes more than twice the idle limit, in steps that stay far below it on a busy machine too."""
COUNTED = [b"%d" % number for number in range(1, 41)]


@pytest.fixture(scope="module")
def own_node(session: Session) -> Iterator[Node]:
    """Run a daemon that gives up idle sessions soon and was started with few descriptors."""
    places = (session.workspace, session.network, session.registry.rules)
    daemon = Lading(*places, default_handler=HANDLERS[0], instance="limits")
    daemon.section("streaming")["idle_timeout_seconds"] = IDLE
    daemon.process.command[:0] = ["prlimit", "--nofile=1024:15000"]
    daemon.start()
    client = daemon.client()
    try:
        client.pull(BUSYBOX)
        yield Node(session=session, daemon=daemon, client=client, handler=HANDLERS[0])
    finally:
        if daemon.process.running():
            client.remove_everything()
        client.close()
        daemon.stop()


def held(node: Node, kind: str) -> int:
    """Return what the daemon says that its streaming server holds."""
    return gauges(node)[kind]


# --- nothing moves


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", ["exec", "attach"])
def test_idle_command_is_ended_and_told(own_node: Node, kind: str, transport: str) -> None:
    """The client's own pings come every five seconds, later than this limit."""
    if kind == "exec":
        url = exec_url(own_node, own_node.run().started(), "sleep", "1000", stdin=True)
    else:
        url = attach_url(own_node, interactive(own_node.run(), "sleep", "1000"), stdin=True)
    words = [str(built_client()), "command", "-transport", transport, "-stdin", url]
    begun = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    code = process.wait(60)
    assert process.stderr is not None
    assert process.stdin is not None
    assert b"nothing moved for 3 s" in process.stderr.read()
    assert code == 125
    assert IDLE - 0.1 < time.monotonic() - begun < IDLE + 30
    process.stdin.close()
    process.stderr.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_idle_port_forward_is_ended(own_node: Node, transport: str, tmp_path: Path) -> None:
    pod = own_node.run()
    log = tmp_path / "log"
    with forwarded(own_node, pod.id, 8080, transport, log):
        wait(lambda: b"lost connection to pod" in log.read_bytes())


def test_session_in_which_something_moves_goes_on(own_node: Node) -> None:
    container = own_node.run().started()
    url = exec_url(own_node, container, "sh", "-c", COUNT)
    done = subprocess.run(
        [str(built_client()), "command", url], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.split()) == (0, COUNTED)


def test_pings_keep_a_quiet_session(own_node: Node) -> None:
    """A client that pings is there: so do both Go runtimes take it."""
    container = own_node.run().started()
    with upgraded(exec_url(own_node, container, "sh", "-c", "sleep 8; echo end")) as connection:
        client = SpdyByHand(connection)
        error, out, _ = (client.open(streamtype=name) for name in ("error", "stdout", "stderr"))
        connection.settimeout(0.2)
        for _ in range(300):
            client.ping()
            try:
                client.until(lambda: error in client.ended)
                break
            except TimeoutError:
                continue
        assert client.data[out] == b"end\n"
        assert json.loads(client.data[error])["status"] == "Success"


# --- streams do not come


def test_sessions_without_their_streams_end_after_thirty_seconds(node: Node) -> None:
    pod = node.run()
    container = pod.started()
    attached = interactive(pod, "cat", name="attached")
    with ExitStack() as stack:
        begun = time.monotonic()
        commands: list[tuple[SpdyByHand, int]] = []
        for url in (exec_url(node, container, "true"), attach_url(node, attached)):
            client = SpdyByHand(stack.enter_context(upgraded(url)))
            commands.append((client, client.open(streamtype="error")))
            client.open(streamtype="stdout")
        url = forward_url(node, pod.id)
        half = SpdyByHand(stack.enter_context(upgraded(url, protocol=PORT_FORWARD)))
        lonely = half.open(streamtype="data", port="80", requestid="0")
        for client, error in commands:
            client.until_ended(error)
            told = json.loads(client.data[error])
            assert told["status"] == "Failure"
            assert "no stderr stream came within 30 s" in told["message"]
        half.until(lambda: lonely in half.reset)
        assert CREATION_SECONDS - 1 < time.monotonic() - begun < CREATION_SECONDS + 20


# --- too many


def test_waiting_urls_are_capped_and_used_ones_make_room(own_node: Node) -> None:
    container = own_node.run().started()
    wait(lambda: held(own_node, "waiting_urls") == 0, 120)  # another test's may end meanwhile
    urls = [exec_url(own_node, container, "true") for _ in range(WAITING_LIMIT)]
    assert held(own_node, "waiting_urls") == WAITING_LIMIT
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, says="1000 URLs wait for their client"):
        exec_url(own_node, container, "true")
    for url in urls:
        with connect(url) as connection:
            connection.sendall(head_for(url, "PUT {} HTTP/1.1\r\nHost: a\r\n\r\n", ""))
            assert answer(connection).startswith(b"HTTP/1.1 405")
    assert held(own_node, "waiting_urls") == 0
    exec_url(own_node, container, "true")


def test_open_sessions_are_capped(node: Node) -> None:
    pod = node.run()
    before = holdings(node)
    with ExitStack() as stack:
        for _ in range(SESSION_LIMIT):
            url = forward_url(node, pod.id)
            begin(stack.enter_context(connect(url)), url, protocol=PORT_FORWARD)
        assert held(node, "sessions") == SESSION_LIMIT
        full = holdings(node)
        each = (full.resident_kb - before.resident_kb) / SESSION_LIMIT
        print(f"{each:.0f} KB for each of {SESSION_LIMIT} sessions")
        url = forward_url(node, pod.id)
        with connect(url) as connection:
            connection.sendall(head_for(url, SPDY_HEAD, PORT_FORWARD))
            assert answer(connection).startswith(b"HTTP/1.1 503")
        assert node.client.version(timeout=30).runtime_name
    wait(lambda: held(node, "sessions") == 0, 60)
    url = forward_url(node, pod.id)
    with upgraded(url, protocol=PORT_FORWARD):
        pass


def test_daemon_has_all_descriptors_and_its_containers_the_usual(own_node: Node) -> None:
    assert isinstance(own_node.daemon, Lading)
    pod = own_node.run()
    limits = Path(f"/proc/{own_node.daemon.process.pid}/limits").read_text()
    (own,) = (line.split() for line in limits.splitlines() if line.startswith("Max open files"))
    assert own[3:5] == ["15000", "15000"]
    container = pod.shell("ulimit -Sn; ulimit -Hn; exec sleep 1000")
    wait_program(own_node.client, container, "sleep")
    script = "cat /proc/1/limits; ulimit -Sn; ulimit -Hn"
    said = own_node.client.exec_sync(container, ["sh", "-c", script]).stdout.decode().splitlines()
    (inside,) = (line.split() for line in said if line.startswith("Max open files"))
    assert inside[3:5] == ["1024", "15000"]
    assert said[-2:] == ["1024", "15000"]


def test_forwarding_survives_what_others_lose(own_node: Node, tmp_path: Path) -> None:
    """The idle limit is of a whole session: one busy connection keeps the others of its client."""
    pod = own_node.run()
    container = pod.shell(serve(8080, f"sh -c '{COUNT}'"))
    wait_listening(own_node, container, 8080)
    with forwarded(own_node, pod.id, 8080, "spdy", tmp_path / "log") as local:
        with connect(f"http://127.0.0.1:{local}") as connection:
            got = b""
            while block := answer(connection):
                got += block
        assert got.split() == COUNTED
