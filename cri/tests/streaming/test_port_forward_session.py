"""Port-forward: pairs of streams to ports of a pod."""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cri.streaming import port_forward_session
from cri.tests.streaming.clients import SpdyClient, WebSocketClient
from cri.tests.streaming.conftest import Scene
from runtime.errors import Unavailable
from runtime.lifecycle.node import Node

NAME = "portforward.k8s.io"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def pod_port(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> AsyncIterator[None]:
    """Let every dial reach a program of the test's."""
    running = 0

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running
        running += 1
        try:
            await serve(reader, writer)
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            writer.close()
        finally:
            running -= 1

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()

    async def dial(node: Node, id: str, port: int) -> socket.socket:
        if port == 9:
            raise Unavailable(f"port {port}", "nothing answers inside the pod")
        connection = socket.socket()
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
        return connection

    monkeypatch.setattr(port_forward_session, "dial_pod", dial)
    async with server:
        yield
        async with asyncio.timeout(30):
            while running:
                await asyncio.sleep(0)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back, the end too."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, and end without waiting."""
    writer.write(b"hello")
    writer.write_eof()
    await reader.read()


async def forward_url(scene: Scene, *ports: int) -> str:
    pod = await scene.rig.pod()
    return scene.server.port_forward_url(pod.id, ports)


def pair(client: SpdyClient, port: int, id: int) -> tuple[int, int]:
    error = client.open(streamtype="error", port=str(port), requestid=str(id), fin=True)
    return error, client.open(streamtype="data", port=str(port), requestid=str(id))


async def test_connections_are_joined_and_end_in_both_directions(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pod_port(monkeypatch, echo):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        pairs = [pair(client, 80 + number, number) for number in range(5)]
        for number, (_, data) in enumerate(pairs):
            client.send(data, b"%d" % number * 1000, fin=True)
        await client.until(lambda: {id for both in pairs for id in both} <= client.ended)
        for number, (error, data) in enumerate(pairs):
            assert client.data[data] == b"%d" % number * 1000
            assert client.data[error] == b""
        await client.close()


async def test_a_pod_that_ends_first_lets_the_client_finish(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pod_port(monkeypatch, greet):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        error, data = pair(client, 80, 0)
        await client.until(lambda: {error, data} <= client.ended)
        assert client.data[data] == b"hello"
        assert data not in client.reset
        client.send(data, b"bye", fin=True)
        await client.close()


async def test_a_client_that_lingers_is_reset(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_forward_session, "LINGER_SECONDS", 0.0)
    async with pod_port(monkeypatch, greet):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        _, data = pair(client, 80, 0)
        await client.until(lambda: data in client.reset)
        await client.close()


async def test_a_closed_port_is_told_on_the_error_stream_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pod_port(monkeypatch, echo):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        error, data = pair(client, 9, 0)
        await client.until(lambda: {error, data} <= client.ended)
        assert client.data[error].startswith(b"error forwarding port 9 to pod ")
        assert b"nothing answers" in client.data[error]
        good = pair(client, 80, 1)
        client.send(good[1], b"still works", fin=True)
        await client.until(lambda: set(good) <= client.ended)
        assert client.data[good[1]] == b"still works"
        await client.close()


async def test_streams_without_request_id_belong_together_by_number(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pod_port(monkeypatch, greet):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        client.open(streamtype="error", port="80")
        data = client.open(streamtype="data", port="80")
        await client.until(lambda: data in client.ended)
        assert client.data[data] == b"hello"
        await client.close()


async def test_what_fits_nowhere_is_refused(scene: Scene) -> None:
    client = await SpdyClient.connect(await forward_url(scene), NAME)
    bad = [
        client.open(streamtype="stdin", port="80", requestid="1"),
        client.open(streamtype="data", port="0", requestid="2"),
        client.open(streamtype="data", port="65536", requestid="3"),
        client.open(streamtype="data", port="x", requestid="4"),
        client.open(streamtype="data", port="123456", requestid="5"),
        client.open(streamtype="data", requestid="6"),
    ]
    good = client.open(streamtype="data", port="80", requestid="7")
    bad.append(client.open(streamtype="data", port="80", requestid="7"))
    bad.append(client.open(streamtype="error", port="81", requestid="7"))
    await client.until(lambda: client.reset == set(bad))
    assert good in client.accepted
    await client.close()


async def test_half_a_pair_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_forward_session, "PAIR_SECONDS", 0.0)
    client = await SpdyClient.connect(await forward_url(scene), NAME)
    lonely = client.open(streamtype="error", port="80", requestid="1")
    await client.until(lambda: lonely in client.reset)
    await client.close()


async def test_a_client_that_resets_lets_the_pod_go(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        await reader.read()
        gone.set()

    async with pod_port(monkeypatch, listen):
        client = await SpdyClient.connect(await forward_url(scene), NAME)
        _, data = pair(client, 80, 0)
        await client.until(lambda: client.data[data] == b"x")
        await client.close()
        async with asyncio.timeout(30):
            await gone.wait()


async def test_a_connection_that_the_pod_resets_is_reset_and_logged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )

    async with pod_port(monkeypatch, break_off):
        client = await SpdyClient.connect(await forward_url(scene, 80), NAME)
        with caplog.at_level(logging.INFO):
            error, data = pair(client, 80, 0)
            client.send(data, b"x")
            await client.until(lambda: data in client.reset and error in client.ended)
        assert client.data[error] == b""
        assert "a connection to port 80 was broken by the pod: Connection reset" in caplog.text
        await client.close()


async def test_the_old_form_has_its_ports_from_the_request(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pod_port(monkeypatch, greet):
        monkeypatch.setattr(port_forward_session, "LINGER_SECONDS", 0.0)
        url = await forward_url(scene, 80, 9)
        client = await WebSocketClient.connect(url, "v4.channel.k8s.io")
        await client.read_to_end()
        assert client.channel(0) == b"\x50\x00hello"
        assert client.channel(1) == b"\x50\x00"
        assert client.channel(2) == b"\x09\x00"
        assert client.channel(3).startswith(b"\x09\x00error forwarding port 9")
