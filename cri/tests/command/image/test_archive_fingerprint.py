"""A fingerprint changes with whatever may have changed the archive."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cri.command.image.archive_fingerprint import fingerprint_of


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar"
    path.write_bytes(b"x" * 200_000)
    return path


def test_an_unchanged_file_keeps_it(archive: Path) -> None:
    assert fingerprint_of(archive, "o") == fingerprint_of(archive, "o") != ""


def rewrite_the_end(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"y")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [rewrite_the_end, lambda path: os.utime(path, (1, 1)), lambda path: os.truncate(path, 9)],
    ids=["content", "time", "size"],
)
def test_a_change_shows(archive: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint_of(archive)
    change(archive)
    assert fingerprint_of(archive) != before


def test_options_count(archive: Path) -> None:
    assert fingerprint_of(archive, "a") != fingerprint_of(archive, "b")


def test_a_layout_directory_has_one_and_a_pipe_has_none(tmp_path: Path) -> None:
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    for name in ("oci-layout", "index.json", "blobs/sha256/ab"):
        (tmp_path / name).write_bytes(b"{}")
    before = fingerprint_of(tmp_path)
    (tmp_path / "blobs/sha256/cd").write_bytes(b"")
    assert fingerprint_of(tmp_path) != before != ""
    os.mkfifo(tmp_path / "pipe")
    assert fingerprint_of(tmp_path / "pipe") == ""
