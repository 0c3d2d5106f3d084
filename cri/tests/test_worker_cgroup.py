"""Tests of the workers' cgroup on plain directories instead of hierarchies."""

import subprocess
from pathlib import Path

import pytest

from cri.worker_cgroup import WorkerCgroup, worker_cgroup_name
from runtime.host import cgroups
from runtime.host.cgroup_layout import CgroupLayout


def layout_v1(root: Path) -> CgroupLayout:
    controllers = tuple((name, root / name) for name in ("blkio", "cpu", "memory"))
    return CgroupLayout(mode="v1", controllers=controllers, unified=None, unified_controllers=())


def make_files(directory: Path, *names: str) -> None:
    directory.mkdir(parents=True)
    for name in names:
        (directory / name).write_text("")


async def test_version_1_gets_limit_and_weights_where_it_has_them(tmp_path: Path) -> None:
    make_files(tmp_path / "memory/workers", "memory.limit_in_bytes", "memory.oom_control")
    make_files(tmp_path / "cpu/workers", "cpu.shares")
    layout = layout_v1(tmp_path)
    hierarchies = {name: str(path) for name, path in layout.controllers}
    cgroup = WorkerCgroup("workers", layout, hierarchies, memory_bytes=5000)
    cgroup.start()
    assert (tmp_path / "memory/workers/memory.limit_in_bytes").read_text() == "5000"
    assert (tmp_path / "cpu/workers/cpu.shares").read_text() == "128"
    assert not any((tmp_path / "blkio/workers").iterdir())
    process = await cgroup.spawn(lambda: subprocess.Popen(["true"]))
    cgroup.adopt(process.pid)
    process.wait()
    assert (tmp_path / "memory/workers/tasks").read_text()
    (tmp_path / "memory/workers/memory.oom_control").write_text("oom_kill 4\n")
    assert cgroup.memory_kills() == 4
    cgroup.stop()
    assert not (tmp_path / "blkio/workers").exists() or (tmp_path / "blkio/workers/tasks").exists()


def test_version_2_passes_controllers_on(tmp_path: Path) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("")
    make_files(tmp_path / "workers", "memory.max", "cpu.weight", "io.weight", "memory.events")
    layout = CgroupLayout(mode="v2", controllers=(), unified=tmp_path, unified_controllers=())
    cgroup = WorkerCgroup("workers", layout, {"": str(tmp_path)}, memory_bytes=0)
    cgroup.start()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+io"
    assert (tmp_path / "workers/memory.max").read_text() == "max"
    assert (tmp_path / "workers/cpu.weight").read_text() == "12"
    assert (tmp_path / "workers/io.weight").read_text() == "default 20"
    cgroup.adopt(42)
    assert (tmp_path / "workers/cgroup.procs").read_text() == "42"


def test_no_limit_removes_an_older_one(tmp_path: Path) -> None:
    make_files(tmp_path / "memory/workers", "memory.limit_in_bytes")
    WorkerCgroup("workers", layout_v1(tmp_path), {}, memory_bytes=0).start()
    assert (tmp_path / "memory/workers/memory.limit_in_bytes").read_text() == "-1"


def test_a_host_without_the_limit_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "memory").mkdir()
    WorkerCgroup("workers", layout_v1(tmp_path), {}, memory_bytes=5000).start()
    assert "no limit of memory: this host has no memory.limit_in_bytes" in caplog.text


def test_a_limit_that_is_refused_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "memory/workers/memory.limit_in_bytes").mkdir(parents=True)
    WorkerCgroup("workers", layout_v1(tmp_path), {}, memory_bytes=5000).start()
    assert "5000 cannot be set" in caplog.text


def test_no_path_leaves_workers_where_they_are(tmp_path: Path) -> None:
    cgroup = WorkerCgroup("", layout_v1(tmp_path), {}, memory_bytes=5000)
    cgroup.start()
    assert cgroup.memory_kills() == 0
    cgroup.stop()
    assert not any(tmp_path.iterdir())


def test_a_worker_that_does_not_end_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def end_members(_layout: CgroupLayout, _cgroup: str, *, seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) > 1

    monkeypatch.setattr(cgroups, "end_members", end_members)
    cgroup = WorkerCgroup("workers", layout_v1(tmp_path), {}, memory_bytes=0)
    cgroup.stop()
    assert "pull workers do not end; their cgroup workers stays" in caplog.text
    caplog.clear()
    cgroup.stop()
    assert not caplog.text


def test_the_name_stands_beside_that_of_the_monitors() -> None:
    assert worker_cgroup_name("lading-monitors") == "lading-workers"
    assert worker_cgroup_name("lading-monitors-0123") == "lading-workers-0123"
