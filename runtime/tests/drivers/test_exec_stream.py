"""Tests of streaming exec, on fake programs."""

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers import exec_stream
from runtime.drivers.driver import ExecStreamRequest
from runtime.drivers.output_capture import OutputCapture
from runtime.errors import DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


async def read_all(descriptor: int) -> bytes:
    capture = OutputCapture(os.dup(descriptor), 10_000)
    async with asyncio.timeout(30):
        await capture.ended
    return capture.output()


async def test_pipes_carry_input_and_both_outputs(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    words = ("sh", "-c", "cat; echo e >&2; exit 3")
    session = await handle.exec_stream(ExecStreamRequest(command=words, stdin=True))
    assert session.stdin is not None
    assert session.stderr is not None
    session.resize(1, 1)
    os.write(session.stdin, b"typed")
    session.close_stdin()
    session.close_stdin()
    assert await read_all(session.stdout) == b"typed"
    assert await read_all(session.stderr) == b"e\n"
    assert await session.wait() == 3
    session.close()


async def test_no_input_and_kill(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    session = await handle.exec_stream(ExecStreamRequest(command=("sleep", "600")))
    assert session.stdin is None
    session.close_stdin()
    session.close()
    session.close()
    session.kill()
    assert await session.wait() == 137


async def test_terminal_has_its_first_size_and_can_be_resized(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    request = ExecStreamRequest(command=("sleep", "600"), terminal=True, width=80, height=24)
    session = await handle.exec_stream(request)
    assert session.stdin == session.stdout
    assert window(session.stdout) == (24, 80)
    session.resize(81, 25)
    assert window(session.stdout) == (25, 81)
    session.close_stdin()
    assert session.stdin is not None
    session.kill()
    assert await session.wait() == 137
    session.close()
    session.resize(1, 1)


def window(terminal: int) -> tuple[int, int]:
    answer = fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8)
    height, width, _, _ = struct.unpack("HHHH", answer)
    return height, width


async def test_terminal_that_never_comes_gets_the_process_killed(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    (scene.place / "no-terminal").touch()
    with pytest.raises(Internal):
        await handle.exec_stream(ExecStreamRequest(command=("sleep", "600"), terminal=True))


@pytest.mark.parametrize("terminal", [False, True])
async def test_command_that_cannot_start_leaks_nothing(
    scene: FakePrograms, *, terminal: bool
) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InvalidArgument):
        await handle.exec_stream(ExecStreamRequest(command=("/none",), terminal=terminal))
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_start_has_a_limit(scene: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_stream, "START_SECONDS", 0.05)
    handle = await scene.driver.create(scene.request())
    await handle.start()
    scene.hang("exec")
    with pytest.raises(DeadlineExceeded) as caught:
        await handle.exec_stream(ExecStreamRequest(command=("true",)))
    assert caught.value.reason == "ExecStartTimeout"


async def test_runtime_that_says_not_running_is_understood(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    scene.fail("exec", "the container `x` is not running")
    with pytest.raises(FailedPrecondition) as caught:
        await handle.exec_stream(ExecStreamRequest(command=("true",)))
    assert caught.value.reason == "NotRunning"
