"""Tests of the watch on exit files."""

import asyncio
import ctypes
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers.exit_files import ExitFiles
from runtime.errors import Internal


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[ExitFiles]:
    made = ExitFiles(tmp_path / "exits")
    made.start()
    yield made
    made.stop()


def write_exit(files: ExitFiles, id: str, content: str) -> None:
    part = files.directory / f"{id}.QWERTY"
    part.write_text(content)
    part.rename(files.directory / id)


async def test_file_that_comes_later_is_told_to_all(files: ExitFiles) -> None:
    waiting = [files.expect("ab"), files.expect("ab"), files.expect("cd")]
    write_exit(files, "ab", "3")
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting[:2])
    record = files.read("ab")
    assert record is not None
    assert record.exit_code == 3
    assert record.written_at_ns == (files.directory / "ab").stat().st_mtime_ns
    assert not waiting[2].done()


async def test_file_that_was_there_before_is_told_at_once(files: ExitFiles) -> None:
    write_exit(files, "ab", "0")
    assert files.expect("ab").done()


async def test_half_written_and_damaged_files(files: ExitFiles) -> None:
    (files.directory / "ab.QWERTY").write_text("3")
    assert files.read("ab") is None
    write_exit(files, "ab", "what")
    record = files.read("ab")
    assert record is not None
    assert record.exit_code == 255


async def test_abandoned_and_removed_files_are_forgotten(files: ExitFiles) -> None:
    first, second = files.expect("ab"), files.expect("ab")
    files.abandon("ab", first)
    assert first.cancelled()
    assert not second.done()
    files.abandon("ab", second)
    files.abandon("ab", second)
    write_exit(files, "ab", "1")
    files.remove("ab")
    files.remove("ab")
    assert files.read("ab") is None


async def test_overflowed_queue_makes_it_look_again(
    files: ExitFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = files.expect("ab")
    (files.directory / "ab").write_text("5")  # written in place: no IN_MOVED_TO
    overflow = struct.pack("iIII", -1, 0x4000, 0, 0)
    monkeypatch.setattr(os, "read", lambda *_: overflow)
    files._read_events()
    monkeypatch.undo()
    assert waiting.done()


async def test_empty_queue_is_no_error(files: ExitFiles) -> None:
    files._read_events()


async def test_stop_cancels_who_waits(files: ExitFiles) -> None:
    waiting = files.expect("ab")
    files.stop()
    files.stop()
    assert waiting.cancelled()


@pytest.mark.parametrize("failing", ["inotify_init1", "inotify_add_watch"])
async def test_kernel_without_watches_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    class Libc:
        def inotify_init1(self, flags: int) -> int:
            return -1 if failing == "inotify_init1" else os.open("/dev/null", os.O_RDONLY)

        def inotify_add_watch(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    with pytest.raises(Internal) as caught:
        ExitFiles(tmp_path).start()
    assert caught.value.reason == "InotifyFailed"
