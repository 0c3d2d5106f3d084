"""Every protocol that a client may ask for, the old ones too, each by name and with nothing else on offer.

client-go negotiates the SPDY versions and WebSocket v4; nothing but old and odd clients speaks the base64 and nameless forms,
so those are spoken by hand.
"""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from e2e.node import Node
from e2e.streaming_client import built_client
from e2e.streaming_client.by_hand import V4, WEBSOCKET_HEAD, WebSocketByHand, upgraded
from e2e.streaming_client.urls import attach_url, exec_url, forward_url, interactive, serve
from e2e.test_exec_attach_forward import UNTIL_SIZED, on_a_terminal, run, wait_listening

V1, V2, V3 = "channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io"
SPDY_NAMES = (V1, V2, V3, V4)


def offering(transport: str, *protocols: str) -> list[str]:
    """Return the client's flags."""
    return ["-transport", transport, "-protocols", ",".join(protocols)]


# --- SPDY, by client-go


@pytest.mark.parametrize("protocol", SPDY_NAMES)
def test_spdy_version_tells_streams_apart_and_how_it_ended(node: Node, protocol: str) -> None:
    container = node.run().started()
    flags = offering("spdy", protocol)
    fine = run(flags, exec_url(node, container, "sh", "-c", "echo out; echo bad >&2"))
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, b"out\n", b"bad\n")
    failed = run(flags, exec_url(node, container, "sh", "-c", "echo out; exit 7"))
    assert failed.stdout == b"out\n"
    if protocol == V4:
        assert failed.returncode == 7
    elif protocol == V1:  # its client may return with the last output, before it has read the words
        assert failed.returncode in (0, 125)
    else:  # before v4 a client gets the words alone
        assert failed.returncode == 125
        assert b"command terminated with non-zero exit code: 7" in failed.stderr


@pytest.mark.parametrize("protocol", SPDY_NAMES[1:])
def test_spdy_version_ends_its_input(node: Node, protocol: str) -> None:
    """Not v1: its client never says that its input has ended."""
    container = node.run().started()
    url = exec_url(node, container, "cat", stdin=True)
    done = run([*offering("spdy", protocol), "-stdin"], url, stdin=b"to and fro")
    assert (done.returncode, done.stdout) == (0, b"to and fro")


def test_spdy_v1_takes_input(node: Node) -> None:
    container = node.run().started()
    url = exec_url(node, container, "sh", "-c", "read line; echo got $line", stdin=True)
    done = run([*offering("spdy", V1), "-stdin"], url, stdin=b"typed\n")
    assert (done.returncode, done.stdout) == (0, b"got typed\n")


@pytest.mark.parametrize(("protocol", "sized"), [(V1, False), (V2, False), (V3, True)])
def test_spdy_version_has_a_terminal(node: Node, protocol: str, sized: bool) -> None:
    """A size is told since v3."""
    container = node.run().started()
    url = exec_url(
        node,
        container,
        "sh",
        "-c",
        f"{UNTIL_SIZED if sized else 'stty size'}; tty; read line; echo got $line",
        stdin=True,
        tty=True,
    )
    words = [str(built_client()), "command", *offering("spdy", protocol), "-stdin", "-tty"]
    output = on_a_terminal(
        [*words, "-width", "101", "-height", "33", url], b"typed\n", columns=101, rows=33
    )
    assert (b"33 101" in output) is sized
    assert b"got typed" in output


@pytest.mark.parametrize("protocol", SPDY_NAMES[1:])
def test_spdy_version_attaches(node: Node, protocol: str) -> None:
    container = interactive(node.run(), "sh", once=True)
    url = attach_url(node, container, stdin=True)
    done = run([*offering("spdy", protocol), "-stdin"], url, stdin=b"echo out; echo bad >&2\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"bad\n")


def test_the_first_known_name_in_the_clients_order_counts(node: Node) -> None:
    container = node.run().started()
    url = exec_url(node, container, "sh", "-c", "exit 7")
    done = run(offering("spdy", "v9.channel.k8s.io", V2, V4), url)
    assert b"command terminated with non-zero exit code: 7" in done.stderr  # v2's words


@pytest.mark.parametrize("transport", ["spdy", "websocket"])
def test_no_common_name_is_refused(node: Node, transport: str) -> None:
    container = node.run().started()
    done = run(offering(transport, "v9.channel.k8s.io"), exec_url(node, container, "true"))
    assert done.returncode == 125
    assert (
        b"403" in done.stderr or b"Forbidden" in done.stderr or b"unable to upgrade" in done.stderr
    )


# --- WebSocket


def test_websocket_v4_of_client_go(node: Node) -> None:
    container = node.run().started()
    url = exec_url(node, container, "sh", "-c", "echo out; echo bad >&2; exit 7")
    done = run(offering("websocket", V4), url)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"bad\n")


@pytest.mark.parametrize(
    "protocol",
    ["", V1, V4, "v5.channel.k8s.io", "base64.channel.k8s.io", "v4.base64.channel.k8s.io"],
    ids=lambda name: name or "nameless",
)
def test_websocket_protocol_runs_a_command(node: Node, protocol: str) -> None:
    container = node.run().started()
    coded = "base64" in protocol
    script = "read line; echo got $line; echo bad >&2; exit 5"
    url = exec_url(node, container, "sh", "-c", script, stdin=True)
    with upgraded(url, WEBSOCKET_HEAD, protocol) as connection:
        client = WebSocketByHand(connection)
        typed = b"typed \xff\x00\n"
        if coded:
            client.send(b"0" + base64.b64encode(typed), text=True)
        else:
            client.send(b"\x00" + typed)
        client.until(lambda: False)
    assert client.code == 1000
    assert client.channel(1, coded=coded).startswith(b"got typed \xff")
    assert client.channel(2, coded=coded) == b"bad\n"
    told = client.channel(3, coded=coded)
    if protocol.startswith(("v4", "v5")):
        assert json.loads(told)["details"]["causes"] == [{"reason": "ExitCode", "message": "5"}]
    else:
        assert told == b"command terminated with non-zero exit code: 5"


@pytest.mark.parametrize(
    "protocol", ["", V4, "v4.base64.channel.k8s.io"], ids=lambda name: name or "nameless"
)
def test_old_port_forward_names_its_ports_in_the_request(node: Node, protocol: str) -> None:
    pod = node.run()
    for number, port in enumerate((8080, 8081)):
        container = pod.shell(serve(port, "cat"), name=f"server-{number}")
        wait_listening(node, container, port)
    coded = "base64" in protocol
    with upgraded(forward_url(node, pod.id, 8080, 8081), WEBSOCKET_HEAD, protocol) as connection:
        client = WebSocketByHand(connection)
        for channel, text in ((0, b"to the first"), (2, b"to the second")):
            body = base64.b64encode(text) if coded else text
            mark = b"%d" % channel if coded else bytes([channel])
            client.send(mark + body, text=coded)
        greeting = {0: b"\x90\x1f", 2: b"\x91\x1f"}
        wanted = [greeting[0] + b"to the first", greeting[0]]
        wanted += [greeting[2] + b"to the second", greeting[2]]
        client.until(lambda: [client.channel(n, coded=coded) for n in range(4)] == wanted)
        assert [client.channel(n, coded=coded) for n in range(4)] == wanted


def test_the_client_is_told_where_a_tunnel_is_not_known(node: Node, tmp_path: Path) -> None:
    """client-go falls back to SPDY after any refused handshake, so a refusal must be an answer and no silence."""
    pod = node.run()
    url = forward_url(node, pod.id).replace("/portforward/", "/exec/")
    words = [str(built_client()), "port-forward", "-transport", "websocket", url, "0:80"]
    done = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert done.returncode == 125
    assert b"404" in done.stderr or b"unable to upgrade" in done.stderr
