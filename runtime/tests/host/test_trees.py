"""Deleting directories of ours."""

import os
from pathlib import Path

import pytest

from runtime.host.trees import remove_tree


def test_tree_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    box = tmp_path / "box"
    (box / "a" / "b").mkdir(parents=True)
    (box / "a" / "file").touch()
    (box / "a" / "link").symlink_to(tmp_path / "kept")
    os.mkfifo(box / "fifo")
    remove_tree(box)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


def test_gone_is_success(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
    remove_tree(tmp_path / "none" / "below")


def test_link_in_its_place_is_removed_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "box").symlink_to("kept")
    remove_tree(tmp_path / "box")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_very_deep_tree_needs_neither_stack_nor_descriptors(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.mkdir()
    current = os.open(box, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=current)
        os.mkdir("e", dir_fd=current)
        following = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = following
    os.close(current)
    remove_tree(box)
    assert not box.exists()


def test_mount_is_not_crossed() -> None:
    with pytest.raises(OSError, match="cross-device"):
        remove_tree(Path("/proc"))
