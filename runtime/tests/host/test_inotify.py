"""Changes of directories, on the event loop."""

import asyncio
import struct
from pathlib import Path

import pytest

from runtime.host.inotify import (
    CLOSE_WRITE,
    DELETE_SELF,
    IGNORED,
    MOVED_TO,
    OVERFLOW,
    Change,
    DirectoryWatch,
    parse_events,
)


async def test_written_and_renamed_files_are_told(tmp_path: Path) -> None:
    with DirectoryWatch() as watch:
        assert watch.add(tmp_path)
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").rename(tmp_path / "b")
        async with asyncio.timeout(30):
            changes = await watch.wait_changes()
    assert Change(tmp_path, "a", CLOSE_WRITE) in changes
    assert Change(tmp_path, "b", MOVED_TO) in changes


async def test_missing_directory_is_not_watched(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with DirectoryWatch() as watch:
        assert not watch.add(tmp_path / "none")
        assert not watch.add(tmp_path / "file")
        assert not watch.is_watched(tmp_path / "none")


async def test_directory_that_goes_away_is_told_and_forgotten(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with DirectoryWatch() as watch:
        watch.add(place, DELETE_SELF)
        assert watch.is_watched(place)
        place.rmdir()
        masks: set[int] = set()
        async with asyncio.timeout(30):
            while IGNORED not in masks:
                masks |= {change.mask for change in await watch.wait_changes()}
        assert not watch.is_watched(place)


async def test_slow_reader_is_told_of_the_overflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.host.inotify._PENDING_LIMIT", 2)
    with DirectoryWatch() as watch:
        watch.add(tmp_path)
        for number in range(5):
            (tmp_path / str(number)).touch()
        async with asyncio.timeout(30):
            changes = await watch.wait_changes()
        assert changes[0] == Change(None, "", OVERFLOW)
        watch._read()  # nothing more to read is no error


async def test_closing_twice_is_harmless() -> None:
    watch = DirectoryWatch()
    watch.close()
    watch.close()


def test_block_of_events_is_split() -> None:
    block = struct.pack("iIII", 1, MOVED_TO, 0, 16) + b"name".ljust(16, b"\0")
    block += struct.pack("iIII", -1, OVERFLOW, 0, 0)
    assert list(parse_events(block)) == [(1, MOVED_TO, "name"), (-1, OVERFLOW, "")]
    assert list(parse_events(block[:10])) == []
