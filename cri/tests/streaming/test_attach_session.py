"""Attach: a container's own streams, shared and never stalled."""

import asyncio
import socket

import pytest

from cri.streaming import attach_queue
from cri.tests.streaming.clients import SpdyClient, WebSocketClient
from cri.tests.streaming.conftest import Scene


async def attach(
    scene: Scene, *, stdin: bool = False, stdin_once: bool = False, tty: bool = False
) -> tuple[SpdyClient, socket.socket, dict[str, int]]:
    record = await scene.container(stdin=stdin, stdin_once=stdin_once, tty=tty)
    url = scene.server.attach_url(record.id, terminal=tty, stdin=stdin, stdout=True, stderr=not tty)
    client = await SpdyClient.connect(url)
    names = ["error", "stdout"]
    names += ["stdin"] if stdin else []
    names += ["resize"] if tty else ["stderr"]
    ids = dict(zip(names, client.open_command(*names), strict=True))
    container = scene.rig.driver.container(record.id)
    async with asyncio.timeout(30):
        while not container.attached:
            await asyncio.sleep(0)
    return client, container.attached[0], ids


async def take(monitor: socket.socket) -> bytes:
    async with asyncio.timeout(30):
        return await asyncio.get_running_loop().sock_recv(monitor, 65536)


async def test_output_is_told_apart_and_its_end_is_success(scene: Scene) -> None:
    client, monitor, ids = await attach(scene)
    for packet in (b"\x02out", b"\x03err", b"\x02put", b"\x09odd", b"\x02"):
        monitor.send(packet)
    monitor.close()
    await client.until(lambda: ids["error"] in client.ended)
    assert client.data[ids["stdout"]] == b"output"
    assert client.data[ids["stderr"]] == b"err"
    assert b'"Success"' in client.data[ids["error"]]
    await client.close()


async def test_input_goes_in_and_its_end_too_with_stdin_once(scene: Scene) -> None:
    client, monitor, ids = await attach(scene, stdin=True, stdin_once=True)
    client.send(ids["stdin"], bytes(40000), fin=True)
    packets = []
    while packet := await take(monitor):
        packets.append(len(packet))
    assert sum(packets) == 40000
    assert max(packets) <= 32768
    monitor.send(b"\x02bye")
    monitor.close()
    await client.until(lambda: ids["error"] in client.ended)
    assert client.data[ids["stdout"]] == b"bye"
    await client.close()


async def test_the_end_of_input_is_the_end_where_input_outlives_clients(scene: Scene) -> None:
    client, monitor, ids = await attach(scene, stdin=True)
    client.send(ids["stdin"], b"question", fin=True)
    assert await take(monitor) == b"question"
    monitor.send(b"\x02answer")
    await client.until(lambda: ids["error"] in client.ended)
    assert client.data[ids["stdout"]] == b"answer"
    await client.close()


async def test_a_terminal_is_resized_and_survives_the_end_of_input(scene: Scene) -> None:
    client, monitor, ids = await attach(scene, stdin=True, tty=True)
    client.send(ids["resize"], b'{"Width":90,"Height":30}')
    client.send(ids["stdin"], b"x", fin=True)
    assert await take(monitor) == b"x"
    container = next(iter(scene.rig.driver.containers.values()))
    async with asyncio.timeout(30):
        while not container.sizes:
            await asyncio.sleep(0)
    assert container.sizes == [(90, 30)]
    monitor.send(b"\x02screen")
    await client.until(lambda: client.data[ids["stdout"]] == b"screen")
    monitor.close()
    await client.until(lambda: ids["error"] in client.ended)
    await client.close()


async def test_a_lost_client_lets_go(scene: Scene) -> None:
    client, monitor, _ = await attach(scene)
    await client.close()
    assert await take(monitor) == b""


async def test_a_stuck_client_is_cut_off_and_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach_queue, "STALL_SECONDS", 0.05)
    client, monitor, ids = await attach(scene)
    loop = asyncio.get_running_loop()
    packet = b"\x02" + bytes(8192)
    sent = 0
    async with asyncio.timeout(30):
        try:
            while True:
                await loop.sock_sendall(monitor, packet)
                sent += 1
        except OSError:
            pass
    assert sent * 8192 >= attach_queue.LIMIT
    await client.until(lambda: ids["error"] in client.ended)
    assert b"too slowly" in client.data[ids["error"]]
    await client.close()


async def test_input_that_the_container_cannot_have_is_dropped(scene: Scene) -> None:
    record = await scene.container()
    url = scene.server.attach_url(record.id, terminal=False, stdin=True, stdout=True, stderr=False)
    client = await WebSocketClient.connect(url, "v5.channel.k8s.io")
    client.send(b"\x00unasked")
    container = scene.rig.driver.container(record.id)
    async with asyncio.timeout(30):
        while not container.attached:
            await asyncio.sleep(0)
    container.attached[0].send(b"\x02fine")
    container.attached[0].send(b"\x03nobody wants it")
    await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        container.attached[0].recv(100)
    container.attached[0].close()
    await client.read_to_end()
    assert client.channel(1) == b"fine"
