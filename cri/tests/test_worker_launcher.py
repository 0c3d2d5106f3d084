"""Pull workers start through the daemon's one door for programs."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cri.worker_cgroup import WorkerCgroup
from cri.worker_launcher import ProgramWorkerLauncher
from image.errors import Unavailable
from runtime.drivers.program import ProgramRunner
from runtime.drivers.reaper import Reaper
from runtime.host.cgroup_layout import CgroupLayout


@pytest.fixture
async def launcher() -> AsyncIterator[ProgramWorkerLauncher]:
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    layout = CgroupLayout(mode="v1", controllers=(), unified=None, unified_controllers=())
    yield ProgramWorkerLauncher(ProgramRunner(reaper), WorkerCgroup("", layout, {}))
    reaper.stop()


async def test_a_worker_ends_with_its_code(launcher: ProgramWorkerLauncher) -> None:
    worker = await launcher.launch(
        (sys.executable, "-I", "-c", "raise SystemExit(3)"), env={}, pass_fds=()
    )
    assert worker.pid > 1
    assert await worker.wait() == 3
    assert not worker.may_have_met_memory_limit()


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


async def test_a_kill_for_memory_since_the_start_is_seen(tmp_path: Path) -> None:
    place = tmp_path / "memory" / "workers"
    place.mkdir(parents=True)
    control = place / "memory.oom_control"
    control.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    layout = CgroupLayout(
        mode="v1",
        controllers=(("memory", tmp_path / "memory"),),
        unified=None,
        unified_controllers=(),
    )
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    launcher = ProgramWorkerLauncher(ProgramRunner(reaper), WorkerCgroup("workers", layout, {}))
    worker = await launcher.launch((sys.executable, "-I", "-c", ""), env={}, pass_fds=())
    await worker.wait()
    assert not worker.may_have_met_memory_limit()
    control.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert worker.may_have_met_memory_limit()
    reaper.stop()
