"""The whole server on loopback: URLs, refusals, every WebSocket dialect, the stop."""

import asyncio
import base64
import json
import logging
import os
import ssl
import sys
from pathlib import Path

import pytest
from websockets.frames import Opcode

from cri.streaming import command_session, server
from cri.streaming.server import StreamingAddress, StreamingServer
from cri.streaming.wire import spdy_frames
from cri.tests.streaming.clients import SECONDS, SpdyClient, WebSocketClient, request
from cri.tests.streaming.conftest import Scene
from runtime.errors import Unavailable
from runtime.tests.lifecycle.rig import Rig

SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io")


async def status(url: str, *headers: str, method: str = "POST") -> int:
    head, reader, writer = await request(url, *headers, method=method)
    assert "Content-Length" in head
    assert "Location" not in head
    async with asyncio.timeout(SECONDS):
        await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1])


async def test_wrong_used_and_foreign_tokens_are_not_found(scene: Scene) -> None:
    url = await scene.exec_url()
    assert await status(url + "x", *SPDY) == 404
    assert await status(url.replace("/exec/", "/attach/"), *SPDY) == 404
    assert await status(scene.server.base_url + "/", *SPDY) == 404
    assert await status(url, method="GET") == 400  # used up by this
    assert await status(url, *SPDY) == 404


async def test_other_methods_are_refused(scene: Scene) -> None:
    assert await status(await scene.exec_url(), *SPDY, method="PUT") == 405


async def test_urls_are_absolute_and_on_loopback(scene: Scene) -> None:
    assert scene.server.base_url.startswith("http://127.0.0.1:")
    assert (await scene.exec_url()).startswith(scene.server.base_url + "/exec/")


async def test_no_token_reaches_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        url = await scene.exec_url()
        client = await SpdyClient.connect(url)
        (error, _, _) = client.open_command("error", "stdout", "stderr")
        (await scene.session()).exit(0)
        await client.until(lambda: error in client.ended)
        await client.close()
        await status(url, *SPDY)
    assert url.rpartition("/")[2] not in caplog.text


async def test_what_sessions_need_is_imported_beside_the_start(scene: Scene) -> None:
    await scene.server.preload()
    assert "cri.streaming.session_start" in sys.modules


async def test_sessions_are_limited(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SESSION_LIMIT", 0)
    assert await status(await scene.exec_url(), *SPDY) == 503


async def test_what_is_held_is_counted(scene: Scene) -> None:
    assert set(scene.server.counts().values()) == {0}
    url = await scene.exec_url()
    assert scene.server.counts()["waiting_urls"] == 1
    client = await SpdyClient.connect(url)
    assert scene.server.counts() == {"sessions": 1, "waiting_urls": 0, "waiting_connections": 0}
    await client.close()


async def test_pings_are_answered_while_nothing_moves(scene: Scene) -> None:
    client = await SpdyClient.connect(await scene.exec_url())
    client.open_command("error", "stdout", "stderr")
    client.writer.write(spdy_frames.ping(1))
    await client.until(lambda: client.pongs == 1)
    (await scene.session()).exit(0)
    await client.close()


@pytest.mark.parametrize(
    "protocol", ["", "channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io"]
)
async def test_every_binary_dialect_runs_a_command(scene: Scene, protocol: str) -> None:
    client = await WebSocketClient.connect(await scene.exec_url(stdin=True), protocol)
    client.send(b"\x00typed")
    if protocol.startswith("v5"):
        client.send(b"\xff\x00")
    session = await scene.session()
    os.write(session.output, b"out")
    os.write(session.errors, b"err")
    async with asyncio.timeout(SECONDS):
        while protocol.startswith("v5") and session.stdin is not None:
            await asyncio.sleep(0)
    session.exit(3)
    await client.read_to_end()
    assert client.messages[0] == (Opcode.BINARY, b"\x01")
    assert (client.channel(1), client.channel(2)) == (b"out", b"err")
    told = client.channel(3)
    if protocol.startswith("v"):
        assert json.loads(told)["reason"] == "NonZeroExitCode"
    else:
        assert told == b"command terminated with non-zero exit code: 3"
    assert client.code == b"\x03\xe8"


@pytest.mark.parametrize("protocol", ["base64.channel.k8s.io", "v4.base64.channel.k8s.io"])
async def test_every_text_dialect_runs_a_command(scene: Scene, protocol: str) -> None:
    client = await WebSocketClient.connect(await scene.exec_url(), protocol)
    session = await scene.session()
    os.write(session.output, b"out")
    session.exit(0)
    await client.read_to_end()
    assert (Opcode.TEXT, b"1" + base64.b64encode(b"out")) in client.messages


async def test_a_stop_ends_sessions_with_a_status(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_session, "HANG_UP_SECONDS", 0.0)
    client = await SpdyClient.connect(await scene.exec_url())
    (error, _, _) = client.open_command("error", "stdout", "stderr")
    await scene.session()
    _, _, silent = await _half_open(scene)
    await scene.server.stop()
    await client.until(lambda: error in client.ended)
    assert b"the container runtime is stopping" in client.data[error]
    await client.close()
    silent.close()
    await scene.server.stop()


async def _half_open(
    scene: Scene,
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = scene.server.base_url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(SECONDS):
        while not scene.server._waiting:
            await asyncio.sleep(0)
    return "", reader, writer


async def test_a_session_that_does_not_end_is_cancelled_at_the_stop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.0)
    client = await SpdyClient.connect(await scene.exec_url())
    client.open_command("error", "stdout", "stderr")
    session = await scene.session()
    await scene.server.stop()
    async with asyncio.timeout(SECONDS):
        while not session.closed:
            await asyncio.sleep(0)
    await client.close()


async def test_a_taken_address_is_explained(scene: Scene) -> None:
    address = scene.server.base_url.removeprefix("http://")
    other = StreamingServer(scene.rig.node, scene.rig.supervisor, address=address, idle_seconds=1.0)
    with pytest.raises(Unavailable, match="change \\[streaming\\] address"):
        await other.start()
    await other.stop()


async def test_tls_with_a_generated_certificate(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.start()
    pair = (tmp_path / "tls.crt", tmp_path / "tls.key")
    served = StreamingServer(
        rig.node, rig.supervisor, address="127.0.0.1:0", idle_seconds=1.0, tls=pair
    )
    await served.start()
    pod = await rig.pod()
    url = served.port_forward_url(pod.id, ())
    assert url.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(pair[0]))
    port = int(url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /exec/none HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    writer.transport.abort()
    await served.stop()
    await rig.kill()


@pytest.mark.parametrize(
    ("text", "host"), [("127.0.0.1:80", "127.0.0.1"), ("[::1]:80", "::1"), ("h:80", "h")]
)
def test_addresses_are_read(text: str, host: str) -> None:
    assert StreamingAddress.parse(text) == StreamingAddress(host=host, port=80)
