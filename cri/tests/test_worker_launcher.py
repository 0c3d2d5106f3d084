"""Pull workers start through the daemon's one door for programs."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from cri.worker_launcher import ProgramWorkerLauncher
from image.errors import Unavailable
from runtime.drivers.program import ProgramRunner
from runtime.drivers.reaper import Reaper


@pytest.fixture
async def launcher() -> AsyncIterator[ProgramWorkerLauncher]:
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    yield ProgramWorkerLauncher(ProgramRunner(reaper))
    reaper.stop()


async def test_a_worker_ends_with_its_code(launcher: ProgramWorkerLauncher) -> None:
    worker = await launcher.launch(
        (sys.executable, "-I", "-c", "raise SystemExit(3)"), env={}, pass_fds=()
    )
    assert worker.pid > 1
    assert await worker.wait() == 3


async def test_a_killed_worker_has_a_negative_code(launcher: ProgramWorkerLauncher) -> None:
    argv = (sys.executable, "-I", "-c", "import time; time.sleep(600)")
    worker = await launcher.launch(argv, env={}, pass_fds=())
    worker.kill()
    assert await worker.wait() == -signal.SIGKILL


async def test_a_worker_that_cannot_start_blames_no_registry(
    launcher: ProgramWorkerLauncher,
) -> None:
    with pytest.raises(Unavailable) as refusal:
        await launcher.launch(("/none/python",), env={}, pass_fds=())
    assert refusal.value.reason == "WorkerUnavailable"
