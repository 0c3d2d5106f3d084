"""Tests of the cache of open directories."""

import os
from pathlib import Path

import pytest

from image.host import directory_cache
from image.host.directory_cache import DirectoryCache


def test_canonical_path_is_known_behind_links(tmp_path: Path) -> None:
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/real")
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    cache = DirectoryCache(fd)
    assert cache.open(b"real/sub").path == b"real/sub"
    found = cache.open(b"link/sub")
    assert found.path == b"real/sub"
    assert found.child(b"x") == b"real/sub/x"
    assert cache.find(b"link/sub") is found
    assert cache.open(b"").child(b"x") == b"x"
    with pytest.raises(FileNotFoundError):
        cache.open(b"absent")
    cache.clear()
    assert cache.find(b"link/sub") is None
    os.close(fd)


def test_number_of_open_directories_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_cache, "_LIMIT", 3)
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    cache = DirectoryCache(fd)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        cache.open(str(number).encode())
    assert len(os.listdir("/proc/self/fd")) - before == 3
    cache.clear()
    os.close(fd)
