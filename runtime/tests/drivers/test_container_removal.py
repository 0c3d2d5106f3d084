"""Tests of removing an ended container; the way through the runtime is tested with the handle."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers import container_removal
from runtime.drivers.container_removal import remove_container
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.process_watch import ProcessWatch, open_process
from runtime.errors import Internal
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


async def remove(scene: FakePrograms, monitor: ProcessWatch | None) -> None:
    command = OciCommand(scene.services.programs, scene.settings)
    bundle = scene.place / "bundle"
    bundle.mkdir(exist_ok=True)
    (bundle / "pid").touch()
    (scene.services.exit_files.directory / "ab").touch()
    await remove_container(command, scene.services.exit_files, "ab", bundle, monitor)
    assert list(bundle.iterdir()) == []
    assert scene.services.exit_files.read("ab") is None


def monitor_of(scene: FakePrograms) -> ProcessWatch:
    process = subprocess.Popen(["sleep", "600"])
    process.returncode = 0
    watch = open_process(process.pid)
    assert watch is not None
    return watch


async def test_files_go_also_without_runtime_state_and_monitor(scene: FakePrograms) -> None:
    await remove(scene, None)
    await remove(scene, None)


async def test_monitor_that_is_about_to_end_is_waited_for(scene: FakePrograms) -> None:
    monitor = monitor_of(scene)
    asyncio.get_running_loop().call_later(0.01, monitor.signal, 15)
    await remove(scene, monitor)
    await remove(scene, monitor)
    monitor.close()


async def test_stuck_monitor_is_killed(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_removal, "MONITOR_END_SECONDS", 0.01)
    monitor = monitor_of(scene)
    await remove(scene, monitor)
    assert monitor.has_ended()
    monitor.close()


async def test_monitor_that_cannot_be_killed_is_told(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MONITOR_END_SECONDS", "MONITOR_DEATH_SECONDS"):
        monkeypatch.setattr(container_removal, name, 0.01)
    monitor = monitor_of(scene)
    kill = monitor.signal
    monkeypatch.setattr(monitor, "signal", lambda _: True)
    with pytest.raises(Internal):
        await remove(scene, monitor)
    kill(9)
    await monitor.ended
    monitor.close()
