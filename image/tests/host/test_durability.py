"""Tests of durable writes; that a power cut spares them cannot be shown here."""

import os
import stat
from pathlib import Path

import pytest

from image.host.durability import start_writeback, sync_directory, sync_filesystem, write_durably


def test_file_is_whole_private_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "f"
    (tmp_path / ".f.new").write_bytes(b"rest of a crash, longer than the content")
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["f"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_syncs_report_errors(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    sync_filesystem(fd)
    sync_directory(tmp_path)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_filesystem(fd)


def test_writeback_is_only_a_hint(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb") as file:
        file.write(b"x")
        file.flush()
        start_writeback(file.fileno())
        start_writeback(file.fileno(), 0, 1)
    start_writeback(-1)
