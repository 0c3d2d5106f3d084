"""The SQLite file of the image store: its tables, and transactions that survive a power cut.

Promise: a transaction is on disk when it returns (WAL, synchronous=FULL) or did not happen. Never holds image
content. One connection, used by one thread at a time: the caller holds a lock.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from image.errors import FailedPrecondition, Internal, ResourceExhausted
from image.store import blob_sources

_VERSION = 1
_RESERVE_BYTES = 2 * 1024 * 1024

_TABLES = """
CREATE TABLE images (
    id TEXT PRIMARY KEY, manifest_digest TEXT NOT NULL, blob_bytes INTEGER NOT NULL, pulled INTEGER NOT NULL
) STRICT;
CREATE TABLE names (
    name TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
) STRICT;
CREATE INDEX names_by_image ON names(image_id);
CREATE TABLE layers (
    chain_id TEXT PRIMARY KEY, kind TEXT NOT NULL, opaque INTEGER NOT NULL,
    used_bytes INTEGER NOT NULL, inodes INTEGER NOT NULL
) STRICT;
CREATE TABLE image_layers (
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE, position INTEGER NOT NULL,
    chain_id TEXT NOT NULL REFERENCES layers(chain_id), diff_id TEXT NOT NULL,
    digest TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (image_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_by_chain ON image_layers(chain_id);
CREATE TABLE uses (
    container_id TEXT NOT NULL, chain_id TEXT NOT NULL REFERENCES layers(chain_id),
    PRIMARY KEY (container_id, chain_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_by_chain ON uses(chain_id);
"""

# Added later, beside the tables of format 1: an older version does not miss them and leaves them alone.
_LATER_TABLES = """
CREATE TABLE IF NOT EXISTS image_sources (
    image_id TEXT PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE, source TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS touched (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replaced (
    directory TEXT NOT NULL, chain_id TEXT NOT NULL, container_id TEXT NOT NULL,
    PRIMARY KEY (directory, container_id)
) STRICT, WITHOUT ROWID;
"""


class ImageDatabase:
    """One open database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserve = path.with_name("reserve")
        self._give_up_reserve_if_full()  # opening a WAL database makes files beside it
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise self._unusable(str(error)) from error
        if version not in (0, _VERSION):
            raise self._unusable(f"has format {version}, this version reads format {_VERSION}")
        if version == 0:
            self._connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT;")
        self._connection.executescript(_LATER_TABLES + blob_sources.TABLE)

    def _unusable(self, cause: str) -> FailedPrecondition:
        return FailedPrecondition(
            str(self._path),
            f"image database cannot be used: {cause}",
            remedy="move it away to start with no images",
            reason="ImageDatabaseUnusable",
        )

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self, *, freeing: bool = False) -> Iterator[sqlite3.Connection]:
        """Run the statements of the block as one transaction.

        With `freeing` the space kept in reserve is given up first when the disk is full: even a deletion writes
        to the log, and it must work then. What is left of it is held back again at once, before others take it.

        Raises:
            ResourceExhausted: the disk is full; nothing changed.
        """
        try:
            if freeing:
                self._give_up_reserve_if_full()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if (
                    self._connection.in_transaction
                ):  # SQLite ends it by itself when the disk is full
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise ResourceExhausted(
                    str(self._path),
                    "disk is full",
                    remedy="remove images or free space",
                    reason="DiskFull",
                ) from error
            raise Internal(str(self._path), f"image database: {error}") from error
        finally:
            if freeing and not self._reserve.exists():
                self.keep_reserve()

    def rows(self, query: str) -> list[tuple[str | int, ...]]:
        """Return all rows of a query without parameters."""
        return self._connection.execute(query).fetchall()

    def _give_up_reserve_if_full(self) -> None:
        if self._free_bytes() < _RESERVE_BYTES:
            self._reserve.unlink(missing_ok=True)

    def keep_reserve(self) -> None:
        """Hold back some space, or what there is of it, so that removals can be written down on a full disk.

        Call it when the store has been opened, and when content was removed: others would take what was given up.
        """
        with contextlib.suppress(OSError):
            fd = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                held = os.fstat(fd).st_size
                wanted = min(_RESERVE_BYTES, held + self._free_bytes())
                if wanted > held:
                    os.posix_fallocate(fd, held, wanted - held)
            finally:
                os.close(fd)

    def _free_bytes(self) -> int:
        status = os.statvfs(self._path.parent)
        return status.f_bavail * status.f_frsize
