"""Tests of removing trees that nobody sane would build."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.host.tree_removal import remove_tree


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_tree_goes_and_neighbours_stay(tmp_path: Path, parent: int) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/f").write_bytes(b"safe")
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "tree/a/b/f").write_bytes(b"1")
    (tmp_path / "tree/a/l").symlink_to(tmp_path / "victim")
    (tmp_path / "tree/l").symlink_to("../victim")
    remove_tree(parent, b"tree")
    assert os.listdir(tmp_path) == ["victim"]
    assert (tmp_path / "victim/f").exists()


def test_very_deep_tree_goes(tmp_path: Path, parent: int) -> None:
    fd = os.dup(parent)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)
    remove_tree(parent, b"d")
    assert os.listdir(tmp_path) == []


def test_closed_directories_go(tmp_path: Path, parent: int) -> None:
    (tmp_path / "tree/closed/inner").mkdir(parents=True)
    (tmp_path / "tree/closed/inner").chmod(0)
    (tmp_path / "tree/closed").chmod(0)
    remove_tree(parent, b"tree")
    assert os.listdir(tmp_path) == []


def test_absent_file_and_link(tmp_path: Path, parent: int) -> None:
    remove_tree(parent, b"absent")
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "l").symlink_to("f")
    remove_tree(parent, b"l")
    assert os.listdir(tmp_path) == ["f"]
    remove_tree(parent, b"f")
    assert os.listdir(tmp_path) == []


def test_deep_and_broad_tree_goes_with_few_open_files(tmp_path: Path, parent: int) -> None:
    deep = tmp_path / "tree"
    for level in range(100):
        for name in ("a", "b"):
            (deep / name).mkdir(parents=True)
            (deep / name / "f").write_bytes(b"1")
        deep = deep / f"d{level % 3}"
    before = os.listdir("/proc/self/fd")
    remove_tree(parent, b"tree")
    assert os.listdir(tmp_path) == []
    assert os.listdir("/proc/self/fd") == before
