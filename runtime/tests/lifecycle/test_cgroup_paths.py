"""Cgroup paths of both drivers in the hierarchy."""

import pytest

from runtime.lifecycle.cgroup_paths import filesystem_cgroup


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
