"""Directories have the mode that was asked for."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.host.directories import make_directories


@pytest.fixture(autouse=True)
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_missing_parts_get_the_mode_whatever_the_umask(tmp_path: Path) -> None:
    make_directories(tmp_path / "a" / "b", 0o755)
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o755


def test_existing_parts_keep_theirs(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    make_directories(tmp_path / "a" / "b", 0o755)
    make_directories(tmp_path / "a", 0o755)
    assert mode(tmp_path / "a") == 0o700


def test_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError):
        make_directories(tmp_path / "a", 0o755)
    with pytest.raises(NotADirectoryError):
        make_directories(tmp_path / "a" / "b", 0o755)
