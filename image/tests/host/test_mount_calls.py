"""Tests of the mount calls as far as they need no right to mount; the rest is tested end to end."""

import os
from pathlib import Path

import pytest

from image.host.mount_calls import mount_filesystem, mount_points_below, unmount


def test_filesystem_that_is_not_there_is_told(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"No such device|not permitted"):
        mount_filesystem("lading-none", (("source", "x"),), tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_unmounting_what_is_not_mounted_is_fine(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        unmount(tmp_path)
        unmount(tmp_path / "absent")
        (tmp_path / "file").write_bytes(b"")
        unmount(tmp_path / "file" / "below")


def test_mounts_are_listed_innermost_first(tmp_path: Path) -> None:
    assert mount_points_below(tmp_path) == ()
    everything = mount_points_below(Path("/proc"))
    assert everything[-1] == Path("/proc")
    assert all(str(place).startswith("/proc") for place in everything)
