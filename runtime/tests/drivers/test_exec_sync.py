"""Tests of running commands to their end, on fake programs."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers import exec_launch, exec_sync
from runtime.drivers.driver import ExecRequest
from runtime.drivers.exec_launch import ExecLauncher, StartedExec
from runtime.drivers.exec_sync import run_to_end
from runtime.drivers.oci_command import OciCommand
from runtime.errors import DeadlineExceeded
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[ExecLauncher]:
    async with fake_programs(tmp_path) as scene:
        yield await launcher_in(scene)


async def launcher_in(scene: FakePrograms) -> ExecLauncher:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.start()
    command = OciCommand(scene.services.programs, scene.settings)
    return ExecLauncher(request.id, request.bundle, scene.services, command)


def request(*words: str, seconds: float | None = 30, drain: float = 0.01) -> ExecRequest:
    return ExecRequest(command=words, timeout_seconds=seconds, drain_seconds=drain)


async def test_streams_are_told_apart(launcher: ExecLauncher) -> None:
    result = await run_to_end(launcher, request("sh", "-c", "echo o; echo e >&2; exit 4"))
    assert (result.exit_code, result.stdout, result.stderr) == (4, b"o\n", b"e\n")


async def test_background_child_is_not_waited_for(launcher: ExecLauncher) -> None:
    result = await run_to_end(launcher, request("sh", "-c", "sleep 600 & echo $!"))
    assert result.exit_code == 0
    os.kill(int(result.stdout), 9)


async def test_time_limit_kills_the_process(launcher: ExecLauncher) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        await run_to_end(launcher, request("sleep", "600", seconds=1.0))
    assert "sleep timed out after 1 s" in str(caught.value)
    await asyncio.sleep(0)
    assert launcher.running() == ()


async def test_process_that_does_not_die_is_named(
    launcher: ExecLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_sync, "KILLED_SECONDS", 0.01)
    kill = StartedExec.kill
    monkeypatch.setattr(StartedExec, "kill", lambda _: None)
    for seconds in (1.0, 5.0, 30.0):  # until it is started within its time
        with pytest.raises(DeadlineExceeded) as caught:
            await run_to_end(launcher, request("sleep", "600", seconds=seconds))
        if launcher.running():
            break
    assert "did not end after SIGKILL" in str(caught.value)
    monkeypatch.setattr(StartedExec, "kill", kill)
    launcher.kill_all()


async def test_limit_that_passes_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_launch, "FINISH_SECONDS", 0.1)
    async with fake_programs(tmp_path) as scene:
        launcher = await launcher_in(scene)
        scene.hang("exec")
        with pytest.raises(DeadlineExceeded):
            await run_to_end(launcher, request("true", seconds=0.05))


async def test_cancelled_caller_gets_the_process_killed(launcher: ExecLauncher) -> None:
    before = len(os.listdir("/proc/self/fd"))
    task = asyncio.get_running_loop().create_task(
        run_to_end(launcher, request("sleep", "600", seconds=None))
    )
    async with asyncio.timeout(30):
        while not launcher.running():
            await asyncio.sleep(0.001)
    [started] = launcher._running.values()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await started.wait() == 137
    assert len(os.listdir("/proc/self/fd")) <= before
