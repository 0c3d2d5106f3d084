"""Streams of real containers: exec with pipes and terminal, attach, the size of a terminal.

Needs root; shares its scene with test_driver.
"""

import asyncio
import os
import socket

import pytest

from e2e.contracts.driver_contract import LIMIT, remove, running, settled
from e2e.test_driver import RUNTIMES, RealScene, place, scene
from runtime.drivers.driver import ExecStreamRequest
from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.formats.monitor_messages import LONGEST_OUTPUT, AttachStream, parse_output

__all__ = ["place", "scene"]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.parametrize("scene", RUNTIMES, indirect=True),
]


async def read_to_end(descriptor: int) -> bytes:
    """Read a non-blocking descriptor until its end, a terminal's EIO included."""
    loop = asyncio.get_running_loop()
    blocks: list[bytes] = []
    async with asyncio.timeout(LIMIT):
        while True:
            readable = asyncio.Event()
            loop.add_reader(descriptor, readable.set)
            try:
                await readable.wait()
                block = os.read(descriptor, 65536)
            except BlockingIOError:
                continue
            except OSError:
                block = b""
            finally:
                loop.remove_reader(descriptor)
            if not block:
                return b"".join(blocks)
            blocks.append(block)


async def test_exec_with_pipes_takes_input_and_tells_streams_apart(scene: RealScene) -> None:
    handle = await running(scene)
    words = ("sh", "-c", "cat; echo problem >&2; exit 5")
    session = await handle.exec_stream(ExecStreamRequest(command=words, stdin=True))
    assert session.stdin is not None
    assert session.stderr is not None
    os.write(session.stdin, b"typed")
    session.close_stdin()
    assert await read_to_end(session.stdout) == b"typed"
    assert await read_to_end(session.stderr) == b"problem\n"
    assert await session.wait() == 5
    session.close()
    session.close()
    await remove(handle)


async def test_exec_with_terminal_has_its_size_and_is_a_terminal(scene: RealScene) -> None:
    handle = await running(scene)
    words = ("sh", "-c", "read go; tty; stty size; echo $TERM; exit 6")
    request = ExecStreamRequest(command=words, terminal=True, width=101, height=31)
    session = await handle.exec_stream(request)
    assert session.stderr is None
    session.resize(99, 33)
    assert session.stdin is not None
    os.write(session.stdin, b"\n")
    output = await read_to_end(session.stdout)
    assert b"/dev/pts/0" in output
    assert b"33 99" in output
    assert b"xterm" in output
    assert await session.wait() == 6
    session.close()
    await remove(handle)


async def test_streaming_exec_of_no_program_leaks_nothing(scene: RealScene) -> None:
    handle = await running(scene)
    before = sorted(os.listdir("/proc/self/fd"))
    for terminal in (False, True):
        with pytest.raises(InvalidArgument):
            await handle.exec_stream(ExecStreamRequest(command=("/none",), terminal=terminal))
    await settled(lambda: sorted(os.listdir("/proc/self/fd")) == before)
    assert not list(scene.place.glob("con-*"))
    await remove(handle)


async def test_session_let_go_leaves_its_process_until_the_container_ends(
    scene: RealScene,
) -> None:
    handle = await running(scene)
    session = await handle.exec_stream(ExecStreamRequest(command=("sleep", "600")))
    session.close()
    assert session.pid in await handle.processes()
    await handle.terminate()
    assert await session.wait() == 137
    await remove(handle)


async def test_attach_before_start_sees_everything(scene: RealScene) -> None:
    handle = await scene.driver.create(scene.request("/bin/sh", "-c", "echo a; echo b >&2"))
    connection = await handle.attach()
    await handle.start()
    seen: dict[AttachStream, bytes] = {AttachStream.STDOUT: b"", AttachStream.STDERR: b""}
    async with asyncio.timeout(LIMIT):
        while packet := await asyncio.get_running_loop().sock_recv(connection, LONGEST_OUTPUT):
            stream, content = parse_output(packet)
            seen[stream] += content
    connection.close()
    assert seen == {AttachStream.STDOUT: b"a\n", AttachStream.STDERR: b"b\n"}
    await handle.wait_with_timeout(LIMIT)
    with pytest.raises(FailedPrecondition):
        await handle.attach()
    await remove(handle)


async def test_terminal_of_a_container_is_resized(scene: RealScene) -> None:
    request = scene.request("/bin/sh", "-c", "read go; stty size", terminal=True)
    handle = await scene.driver.create(request)
    connection: socket.socket = await handle.attach()
    await handle.start()
    await handle.resize_terminal(77, 22)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"\n")
    output = b""
    async with asyncio.timeout(LIMIT):
        while packet := await loop.sock_recv(connection, LONGEST_OUTPUT):
            output += packet[1:]
    connection.close()
    assert b"22 77" in output
    await handle.wait_with_timeout(LIMIT)
    await remove(handle)
