"""Space and inodes below a directory."""

import os
from pathlib import Path

from runtime.host.disk_usage import count_usage, mount_point_of


def test_files_directories_and_links_are_counted(tmp_path: Path) -> None:
    box = tmp_path / "box"
    (box / "a").mkdir(parents=True)
    (box / "a" / "file").write_bytes(bytes(100_000))
    (box / "link").symlink_to("/")
    used, inodes = count_usage(box)
    assert inodes == 4
    assert 100_000 <= used < 200_000


def test_hard_link_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    once = count_usage(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert count_usage(tmp_path) == once


def test_hole_is_not_counted(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert count_usage(tmp_path)[0] < 1 << 20


def test_missing_directory_is_nothing(tmp_path: Path) -> None:
    assert count_usage(tmp_path / "none") == (0, 0)


def test_mount_point_is_found() -> None:
    assert mount_point_of(Path("/proc/self/fd")) == "/proc"
    assert mount_point_of(Path("/")) == "/"
