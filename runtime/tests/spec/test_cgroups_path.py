"""The cgroup path in each driver's form."""

import pytest

from runtime.errors import InvalidArgument
from runtime.spec.cgroups_path import cgroups_path


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
