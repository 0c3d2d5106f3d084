"""Tests of the database file."""

import os
import sqlite3
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, Internal, ResourceExhausted
from image.store.image_database import ImageDatabase


def _insert(database: ImageDatabase, ids: list[str]) -> None:
    with database.transaction() as connection:
        connection.executemany("INSERT INTO images VALUES (?, 'm', 1, 1)", [(i,) for i in ids])


def test_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    database = ImageDatabase(tmp_path / "images.db")
    with pytest.raises(sqlite3.IntegrityError):
        _insert(database, ["a", "a"])
    with database.transaction() as connection:
        connection.execute("INSERT INTO images VALUES ('b', 'm', 1, 1)")
    assert database.rows("SELECT id FROM images") == [("b",)]
    database.close()


def test_settings_make_commits_durable(tmp_path: Path) -> None:
    database = ImageDatabase(tmp_path / "images.db")
    assert database.rows("PRAGMA journal_mode") == [("wal",)]
    assert database.rows("PRAGMA synchronous") == [(2,)]
    assert database.rows("PRAGMA foreign_keys") == [(1,)]
    database.close()


def test_unusable_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "images.db").write_bytes(b"not a database, for sure" * 100)
    with pytest.raises(FailedPrecondition, match="move it away"):
        ImageDatabase(tmp_path / "images.db")
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(FailedPrecondition, match="format 99"):
        ImageDatabase(tmp_path / "newer.db")


def test_full_database_is_told_and_changes_nothing(tmp_path: Path) -> None:
    database = ImageDatabase(tmp_path / "images.db")
    database.rows("PRAGMA max_page_count=1")
    with pytest.raises(ResourceExhausted, match="disk is full"):
        _insert(database, [f"{number:0200}" for number in range(5000)])
    assert database.rows("SELECT count(*) FROM images") == [(0,)]
    with pytest.raises(Internal), database.transaction() as connection:
        connection.execute("SELECT * FROM nothing")
    database.close()


def test_reserve_is_given_up_when_space_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = ImageDatabase(tmp_path / "images.db")
    database.keep_reserve()
    size = (tmp_path / "reserve").stat().st_size
    assert size > 0
    with database.transaction(freeing=True):
        pass
    assert (tmp_path / "reserve").exists()
    real = os.statvfs(tmp_path)
    full = os.statvfs_result([*real[:4], 0, *real[5:]])
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with database.transaction(freeing=True):
        assert not (tmp_path / "reserve").exists()
    assert (tmp_path / "reserve").stat().st_size == 0
    monkeypatch.undo()
    database.keep_reserve()
    assert (tmp_path / "reserve").stat().st_size == size
    database.close()
