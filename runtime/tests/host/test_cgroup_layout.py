"""Which hierarchies there are, and what crun will say of them."""

from pathlib import Path

import pytest

from runtime.errors import InvalidArgument, Unavailable
from runtime.formats.mountinfo import MountEntry, parse_mountinfo
from runtime.host.cgroup_layout import CgroupLayout, read_layout


def entries(*lines: str) -> tuple[MountEntry, ...]:
    return parse_mountinfo("\n".join(f"1 2 0:1 / {line}" for line in lines).encode())


def v2(directory: Path, controllers: str = "") -> str:
    (directory / "cgroup.controllers").write_text(controllers)
    return f"{directory} rw - cgroup2 cgroup2 rw"


CPU = "/c/cpu rw - cgroup cgroup rw,cpu,cpuacct"
NAMED = "/c/systemd rw - cgroup cgroup rw,xattr,name=systemd"


def test_version_2_alone(tmp_path: Path) -> None:
    layout = read_layout(entries(v2(tmp_path, "cpu memory\n")))
    assert (layout.mode, layout.version) == ("v2", 2)
    assert layout.effective_controllers == ("cpu", "memory")
    assert layout.directory("memory", "/pods/a") == tmp_path / "pods" / "a"
    assert layout.directories("pods/a") == (tmp_path / "pods" / "a",)
    assert layout.crun_refusal() == ""


def test_version_1_alone() -> None:
    layout = read_layout(entries(CPU, NAMED))
    assert (layout.mode, layout.version) == ("v1", 1)
    assert layout.effective_controllers == ("cpu", "cpuacct")
    assert layout.directory("cpu", "/pods") == Path("/c/cpu/pods")
    assert layout.directory("memory", "/pods") is None
    assert layout.directories("/pods") == (Path("/c/cpu/pods"), Path("/c/systemd/pods"))
    assert layout.crun_refusal() == ""


def test_hybrid_is_version_1_and_refused_by_crun_while_v2_has_controllers(tmp_path: Path) -> None:
    layout = read_layout(entries(CPU, v2(tmp_path, "hugetlb")))
    assert (layout.mode, layout.version) == ("hybrid", 1)
    assert "hugetlb" in layout.crun_refusal()
    assert tmp_path / "pods" in layout.directories("/pods")
    assert read_layout(entries(CPU, v2(tmp_path))).crun_refusal() == ""


def test_unreadable_controllers_are_none() -> None:
    layout = read_layout(entries(CPU, "/no/such/place rw - cgroup2 cgroup2 rw"))
    assert layout.unified_controllers == ()


def test_host_without_hierarchies_is_told() -> None:
    with pytest.raises(Unavailable, match="no hierarchy is mounted"):
        read_layout(())


@pytest.mark.parametrize("cgroup", ["", "/", "//", ".", "/pods/..", "a/../..", "/a\0b"])
def test_root_of_a_hierarchy_is_never_meant(cgroup: str) -> None:
    layout = read_layout(entries(CPU))
    with pytest.raises(InvalidArgument):
        layout.directories(cgroup)


def test_version_2_that_is_not_mounted_has_no_directory() -> None:
    layout = CgroupLayout(mode="v2", controllers=(), unified=None, unified_controllers=())
    assert layout.directory("cpu", "/pods") is None
