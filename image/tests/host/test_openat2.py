"""Tests of opening below a root."""

import os
from pathlib import Path

import pytest

from image.host.openat2 import open_directory, open_in_root, stat_canonical


def _root(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def test_links_stay_inside_and_the_last_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/f").write_bytes(b"in")
    (tmp_path / "root/up").symlink_to("../../../../etc")
    (tmp_path / "root/last").symlink_to("etc/f")
    root = _root(tmp_path / "root")
    fd = open_in_root(root, b"up/f", os.O_RDONLY)
    assert os.read(fd, 10) == b"in"
    os.close(fd)
    with pytest.raises(OSError, match="symbolic links"):
        open_in_root(root, b"last", os.O_RDONLY)
    with pytest.raises(OSError, match="symbolic links"):
        open_in_root(root, b"up/f", os.O_RDONLY, links=False)
    os.close(root)


def test_magic_links_are_refused() -> None:
    root = _root(Path("/proc/self"))
    with pytest.raises(OSError, match="symbolic links"):
        open_in_root(root, b"cwd/x", os.O_PATH)
    os.close(root)


def test_directory_and_stat_by_canonical_path(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"12")
    root = _root(tmp_path)
    os.close(open_directory(root, b"d"))
    os.close(open_directory(root, b""))
    assert stat_canonical(root, b"f").st_size == 2
    with pytest.raises(NotADirectoryError):
        open_directory(root, b"f")
    with pytest.raises(FileNotFoundError, match="gone"):
        stat_canonical(root, b"gone")
    os.close(root)
