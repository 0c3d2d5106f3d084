"""The cgroup path in each driver's form."""

import pytest

from runtime.errors import InvalidArgument
from runtime.spec.cgroups_path import cgroups_path, filesystem_cgroup


@pytest.mark.parametrize(
    ("parent", "systemd", "path"),
    [
        ("/kubepods/pod1", False, "/kubepods/pod1/id"),
        ("kubepods/pod1/", False, "/kubepods/pod1/id"),
        ("", False, "/lading/id"),
        ("/", False, "/lading/id"),
        ("", True, "system.slice:lading:id"),
        ("kubepods-pod1.slice", True, "kubepods-pod1.slice:lading:id"),
        ("/kubepods.slice/kubepods-pod1.slice", True, "kubepods-pod1.slice:lading:id"),
    ],
)
def test_path_has_the_drivers_form(parent: str, systemd: bool, path: str) -> None:
    assert cgroups_path(parent, "id", systemd=systemd) == path


@pytest.mark.parametrize(
    ("parent", "systemd"),
    [
        ("/kubepods.slice", False),
        ("/kubepods", True),
        ("/a/../b", False),
        ("a:b.slice", True),
        ("/a\nb", False),
    ],
)
def test_parent_that_does_not_fit_is_refused(parent: str, systemd: bool) -> None:
    with pytest.raises(InvalidArgument, match="cgroup_parent"):
        cgroups_path(parent, "id", systemd=systemd)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", ""),
        ("/kubepods/pod1/abc", "/kubepods/pod1/abc"),
        ("system.slice:lading:abc", "/system.slice/lading-abc.scope"),
        (
            "kubepods-besteffort-pod1.slice:lading:abc",
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/lading-abc.scope",
        ),
        ("-.slice:lading:abc", "/lading-abc.scope"),
        (":lading:abc", "/lading-abc.scope"),
    ],
)
def test_a_runtime_path_has_one_place_in_the_hierarchy(told: str, expected: str) -> None:
    assert filesystem_cgroup(told) == expected
