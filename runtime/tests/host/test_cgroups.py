"""Reading, killing and removing cgroups, on directories that look like them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.host import cgroups
from runtime.host.cgroup_layout import CgroupLayout


@pytest.fixture
def v2(tmp_path: Path) -> CgroupLayout:
    return CgroupLayout(mode="v2", controllers=(), unified=tmp_path, unified_controllers=("cpu",))


@pytest.fixture
def v1(tmp_path: Path) -> CgroupLayout:
    names = ("cpuacct", "cpuset", "freezer", "memory", "pids")
    for name in names:
        (tmp_path / name).mkdir()
    controllers = tuple((name, tmp_path / name) for name in names)
    return CgroupLayout(mode="v1", controllers=controllers, unified=None, unified_controllers=())


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def test_usage_of_version_2_is_read(v2: CgroupLayout, tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "memory.current").write_text("4096\n")
    (tmp_path / "pod" / "memory.events").write_text("oom_kill 2\n")
    usage = cgroups.read_usage(v2, "/pod")
    assert usage is not None
    assert (usage.memory.usage_bytes, usage.oom_kills) == (4096, 2)
    assert cgroups.read_oom_kills(v2, "/pod") == 2


def test_usage_of_version_1_is_read(v1: CgroupLayout, tmp_path: Path) -> None:
    for name in ("memory", "cpuacct"):
        (tmp_path / name / "pod").mkdir()
    (tmp_path / "cpuacct" / "pod" / "cpuacct.usage").write_text("77\n")
    (tmp_path / "memory" / "pod" / "memory.oom_control").write_text("oom_kill 1\n")
    usage = cgroups.read_usage(v1, "/pod")
    assert usage is not None
    assert (usage.cpu.usage_core_ns, usage.oom_kills) == (77, 1)
    assert cgroups.read_oom_kills(v1, "/pod") == 1


def test_absent_cgroup_has_no_usage_and_no_processes(v1: CgroupLayout) -> None:
    assert cgroups.read_usage(v1, "/pod") is None
    assert cgroups.read_oom_kills(v1, "/pod") is None
    assert cgroups.list_processes(v1, "/pod") == set()
    assert cgroups.kill_all(v1, "/pod") == 0
    assert cgroups.remove(v1, "/pod")


def test_processes_below_are_listed(v2: CgroupLayout, tmp_path: Path) -> None:
    (tmp_path / "pod" / "inner").mkdir(parents=True)
    (tmp_path / "pod" / "cgroup.procs").write_text("0\n12\n")
    (tmp_path / "pod" / "inner" / "cgroup.procs").write_text("13\n")
    assert cgroups.list_processes(v2, "/pod") == {12, 13}


def test_version_2_is_killed_by_one_write(v2: CgroupLayout, tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "cgroup.procs").write_text("12\n")
    (tmp_path / "pod" / "cgroup.kill").touch()
    assert cgroups.kill_all(v2, "/pod") == 1
    assert (tmp_path / "pod" / "cgroup.kill").read_text() == "1"


def test_process_that_is_no_member_any_more_is_spared(
    v1: CgroupLayout, tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "freezer" / "pod").mkdir()
    (tmp_path / "freezer" / "pod" / "cgroup.procs").write_text(f"{child.pid}\n")
    (tmp_path / "freezer" / "pod" / "freezer.state").touch()
    assert cgroups.kill_all(v1, "/pod") == 1
    assert child.poll() is None
    # Left thawed, or nothing in it could ever end.
    assert (tmp_path / "freezer" / "pod" / "freezer.state").read_text() == "THAWED"


def test_member_is_killed(
    v1: CgroupLayout,
    tmp_path: Path,
    child: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "pids" / "pod").mkdir()
    (tmp_path / "pids" / "pod" / "cgroup.procs").write_text(f"{child.pid}\n")
    monkeypatch.setattr(cgroups, "_is_member", lambda pid, cgroup: pid == child.pid)
    cgroups.kill_all(v1, "/pod")
    assert child.wait(30) == -signal.SIGKILL


def test_members_are_ended_but_this_process_is_not(
    v1: CgroupLayout,
    tmp_path: Path,
    child: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    procs = tmp_path / "pids" / "pod" / "cgroup.procs"
    procs.parent.mkdir()
    procs.write_text(f"{os.getpid()}\n{child.pid}\n")
    monkeypatch.setattr(cgroups, "_is_member", lambda pid, cgroup: True)
    assert not cgroups.end_members(v1, "/pod", seconds=0.0)  # the file still names the child
    assert child.wait(30) == -signal.SIGKILL
    procs.write_text(f"{os.getpid()}\n")
    assert cgroups.end_members(v1, "/pod", seconds=0.0)


def test_children_are_removed_first_and_what_is_busy_is_told(
    v2: CgroupLayout, tmp_path: Path
) -> None:
    (tmp_path / "pod" / "inner" / "deep").mkdir(parents=True)
    assert cgroups.remove(v2, "/pod")
    (tmp_path / "pod" / "inner").mkdir(parents=True)
    (tmp_path / "pod" / "file").touch()
    assert not cgroups.remove(v2, "/pod")
    assert not (tmp_path / "pod" / "inner").exists()


def test_new_cpuset_inherits_from_its_parents(v1: CgroupLayout, tmp_path: Path) -> None:
    for name, value in (("cpuset.cpus", "0-1"), ("cpuset.mems", "0")):
        (tmp_path / "cpuset" / name).write_text(value)
        for place in ("a", "a/b"):
            (tmp_path / "cpuset" / place).mkdir(exist_ok=True)
            (tmp_path / "cpuset" / place / name).write_text("\n")
    directories = cgroups.make(v1, "/a/b")
    assert len(directories) == 5
    assert all(directory.is_dir() for directory in directories)
    for place in ("a", "a/b"):
        assert (tmp_path / "cpuset" / place / "cpuset.cpus").read_text().strip() == "0-1"


def test_process_is_put_into_every_hierarchy(v1: CgroupLayout, tmp_path: Path) -> None:
    cgroups.add_process(v1, "/a", os.getpid())
    for name in ("memory", "pids"):
        assert (tmp_path / name / "a" / "cgroup.procs").read_text() == str(os.getpid())
