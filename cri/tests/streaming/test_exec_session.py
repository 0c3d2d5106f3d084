"""Exec: a process's streams joined to a client's."""

import asyncio
import json
import os

import pytest

from cri.streaming import input_copy
from cri.tests.streaming.clients import SpdyClient
from cri.tests.streaming.conftest import Scene


def status(client: SpdyClient, id: int) -> dict[str, object]:
    value = json.loads(client.data[id])
    assert isinstance(value, dict)
    return value


async def test_streams_are_told_apart_and_the_code_is_told(scene: Scene) -> None:
    client = await SpdyClient.connect(await scene.exec_url(stdin=True))
    error, stdin, stdout, stderr = client.open_command("error", "stdin", "stdout", "stderr")
    client.send(stdin, b"typed", fin=True)
    session = await scene.session()
    os.write(session.output, b"out")
    os.write(session.errors, b"err")
    async with asyncio.timeout(30):
        while session.stdin is not None:
            await asyncio.sleep(0)
    assert os.read(session.input, 100) == b"typed"
    assert os.read(session.input, 100) == b""
    session.exit(5)
    await client.until(lambda: {error, stdin, stdout, stderr} <= client.ended)
    assert (client.data[stdout], client.data[stderr]) == (b"out", b"err")
    assert status(client, error)["details"] == {"causes": [{"reason": "ExitCode", "message": "5"}]}
    await client.close()


async def test_a_terminal_has_its_first_size_and_later_ones(scene: Scene) -> None:
    client = await SpdyClient.connect(await scene.exec_url(tty=True, stdin=True))
    error, _, stdout, resize = client.open_command("error", "stdin", "stdout", "resize")
    client.send(resize, b'{"Width":101,"Height":33}\n')
    session = await scene.session()
    client.send(resize, b'{"Width":80,"Height":24}\n')
    async with asyncio.timeout(30):
        while not session.sizes:
            await asyncio.sleep(0)
    os.write(session.output, b"screen")
    session.exit(0)
    await client.until(lambda: {error, stdout} <= client.ended)
    assert session.sizes == [(80, 24)]
    assert client.data[stdout] == b"screen"
    assert status(client, error)["status"] == "Success"
    await client.close()


async def test_a_lost_client_leaves_the_process_and_its_output_is_drained(scene: Scene) -> None:
    client = await SpdyClient.connect(await scene.exec_url(stdin=True))
    client.open_command("error", "stdin", "stdout", "stderr")
    session = await scene.session()
    await client.close()
    async with asyncio.timeout(30):
        while session.stdin is not None:  # its input has ended
            await asyncio.sleep(0)
        for _ in range(40):
            written = 0
            while not written:
                try:
                    written = os.write(session.output, bytes(65536))
                except BlockingIOError:
                    await asyncio.sleep(0)
    assert not session.killed
    assert not session.closed
    session.exit(0)
    async with asyncio.timeout(30):
        while not session.closed:
            await asyncio.sleep(0)


async def test_a_lost_client_hangs_its_terminal_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_copy, "FIRST_SIZE_SECONDS", 0.0)
    client = await SpdyClient.connect(await scene.exec_url(tty=True, stdin=True))
    client.open_command("error", "stdin", "stdout", "resize")
    session = await scene.session()
    await client.close()
    async with asyncio.timeout(30):
        while not session.closed:
            await asyncio.sleep(0)
    assert not session.killed


async def test_a_command_that_cannot_start_is_told(scene: Scene) -> None:
    url = await scene.exec_url()
    for container in scene.rig.driver.containers.values():
        container.exit(1)
    client = await SpdyClient.connect(url)
    (error, _, _) = client.open_command("error", "stdout", "stderr")
    await client.until(lambda: error in client.ended)
    assert status(client, error)["reason"] == "InternalError"
    await client.close()


async def test_a_process_that_stops_reading_ends_its_input_alone(scene: Scene) -> None:
    client = await SpdyClient.connect(await scene.exec_url(stdin=True))
    error, stdin, stdout, _ = client.open_command("error", "stdin", "stdout", "stderr")
    session = await scene.session()
    session._close(session.input)
    client.send(stdin, bytes(4 * 1024 * 1024))
    async with asyncio.timeout(30):
        while session.stdin is not None:
            await asyncio.sleep(0)
    os.write(session.output, b"still here")
    session.exit(0)
    await client.until(lambda: error in client.ended)
    assert client.data[stdout] == b"still here"
    await client.close()
