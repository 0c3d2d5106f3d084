"""Tests of the monitors' cgroup on plain directories instead of a hierarchy, and without any."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from runtime.drivers import monitor_cgroup as monitor_cgroup_module
from runtime.drivers.monitor_cgroup import MonitorCgroup, mounted_hierarchies


def start_true() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["true"])


async def test_no_cgroup_starts_programs_here() -> None:
    cgroup = MonitorCgroup("", {"memory": "/nowhere", "": "/nowhere"})
    cgroup.start()
    assert not cgroup.moves_processes
    process = await cgroup.spawn(start_true)
    cgroup.adopt(process.pid)
    process.wait()
    cgroup.stop()


async def test_thread_joins_each_hierarchy_and_starts_programs(tmp_path: Path) -> None:
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset.mems").write_text("0\n")
    inner = tmp_path / "a" / "monitors"
    inner.mkdir(parents=True)
    for directory in (inner, inner.parent):
        for name in ("cpuset.cpus", "cpuset.mems"):
            (directory / name).write_text("\n")
    hierarchies = {"cpuset": str(tmp_path), "": str(tmp_path / "unified")}
    cgroup = MonitorCgroup("/a/monitors", hierarchies)
    cgroup.start()
    assert not cgroup.moves_processes
    (await cgroup.spawn(start_true)).wait()
    assert int((inner / "tasks").read_text()) != os.getpid()
    assert (inner / "cpuset.cpus").read_text() == "0-1\n"
    assert (inner / "cpuset.mems").read_text() == "0\n"
    (inner / "cgroup.procs").write_text("1\n")
    cgroup.stop()
    assert inner.is_dir()  # a monitor lives in it


async def test_what_a_killed_daemon_left_is_used_again_or_removed(tmp_path: Path) -> None:
    left = [tmp_path / name / "monitors" for name in ("memory", "cpu")]
    for directory in left:
        directory.mkdir(parents=True)
    hierarchies = {name: str(tmp_path / name) for name in ("memory", "cpu")}
    cgroup = MonitorCgroup("monitors", hierarchies)
    cgroup.start()
    cgroup.stop()  # without a container: its thread never came to be
    assert not any(directory.exists() for directory in left)


async def test_hierarchy_that_refuses_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cgroup = MonitorCgroup("/monitors", {"memory": str(tmp_path / "file")})
    cgroup.start()
    (await cgroup.spawn(start_true)).wait()
    cgroup.stop()
    assert "stay in the daemon's cgroup" in caplog.text


async def test_version_2_moves_each_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_cgroup_module, "_REMOVE_PAUSE_SECONDS", 0.0)
    cgroup = MonitorCgroup("monitors", {"": str(tmp_path)})
    cgroup.start()
    assert cgroup.moves_processes
    cgroup.adopt(42)
    procs = tmp_path / "monitors" / "cgroup.procs"
    assert procs.read_text() == "42"
    procs.unlink()
    (tmp_path / "monitors" / "child").mkdir()
    cgroup.stop()
    (tmp_path / "monitors" / "child").rmdir()
    cgroup.stop()
    cgroup.stop()
    assert not (tmp_path / "monitors").exists()
    cgroup.adopt(43)
    assert "process 43 of the monitors stays" in caplog.text


async def test_cancelled_spawn_kills_what_it_started(tmp_path: Path) -> None:
    cgroup = MonitorCgroup("monitors", {"memory": str(tmp_path)})
    cgroup.start()
    started: list[subprocess.Popen[bytes]] = []
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()

    def start() -> "subprocess.Popen[bytes]":
        loop.call_soon_threadsafe(waiting.set)
        started.append(subprocess.Popen(["sleep", "600"]))
        return started[0]

    def fail() -> "subprocess.Popen[bytes]":
        raise OSError("no")

    for function in (start, fail):
        task = loop.create_task(cgroup.spawn(function))
        if function is start:
            await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.to_thread(cgroup.stop)
    assert os.waitstatus_to_exitcode(os.waitpid(started[0].pid, 0)[1]) == -9


def test_mounted_hierarchies_are_read() -> None:
    assert all(Path(mount).is_absolute() for mount in mounted_hierarchies().values())
