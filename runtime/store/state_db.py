"""The state database: pods, containers and the journal, in one SQLite file.

One thread of its own writes; transactions that wait at the same time share one commit (group commit), and each still
succeeds or fails alone. WAL with synchronous=NORMAL: a killed daemon loses nothing, a power loss may lose the last
moments, whose subjects died with the power anyway (architecture.md, decision 8). The file is locked for this process.

It never changes a file of a newer schema, and never answers a read from anything but what was committed.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    PodRuntimeError,
    ResourceExhausted,
    Unavailable,
)
from runtime.records.container import ContainerRecord
from runtime.records.json_codec import decode
from runtime.records.sandbox import SandboxRecord
from runtime.store.changes import Change
from runtime.store.journal import Intent, intent_from_text

SCHEMA_VERSION = 1

_TABLES = (
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sandboxes (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS journal (key TEXT PRIMARY KEY, intent TEXT NOT NULL)",
)
_HEADER_VERSION = slice(60, 64)
"""Where the file format keeps PRAGMA user_version (sqlite.org/fileformat.html, 1.3)."""
_ROOM_BYTES = 1024 * 1024
"""Hundreds of removals."""

_BATCH_LIMIT = 256
_DISK_FULL = "full"

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class DamagedRow:
    """A row that cannot be read."""

    table: str
    key: str
    """Id of the object, or the journal row's `kind/id`."""
    cause: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredState:
    """Everything that was committed."""

    boot_id: str
    """Boot that the records belong to; empty in a new database."""
    sandboxes: tuple[SandboxRecord, ...] = ()
    containers: tuple[ContainerRecord, ...] = ()
    intents: tuple[Intent, ...] = ()
    damaged: tuple[DamagedRow, ...] = ()
    """Rows that cannot be read; they, and what belongs to them, are left alone."""


class _Transaction:
    """Changes that wait for the thread, and the loop that waits for them."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()

    def settle(self, error: PodRuntimeError | None) -> None:
        """Tell the waiting coroutine, from the thread."""
        try:
            self.loop.call_soon_threadsafe(self._settle, error)
        except RuntimeError:
            log.debug("the loop was closed before a transaction was told")

    def _settle(self, error: PodRuntimeError | None) -> None:
        if self.done.done():
            if error is not None:
                log.error("a transaction that nobody waited for failed: %s", error)
        elif error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class StateDatabase:
    """See the module docstring."""

    def __init__(
        self, path: Path, *, timeout_seconds: float = 30.0, lock_seconds: float = 2.0
    ) -> None:
        """Open or make the database; one that is in use is waited for, as a killed daemon may be ending still.

        Raises:
            FailedPrecondition: a newer version of Lading wrote it; nothing was changed.
            Unavailable: it cannot be opened, or another daemon has it.
        """
        self._path = path
        self._timeout_seconds = timeout_seconds
        _refuse_newer(path, _version_in_header(path))
        self._connection = _open(path, lock_seconds)
        self._queue: queue.SimpleQueue[_Transaction | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="state-db", daemon=True)
        self._thread.start()
        self._closed = False

    def load(self) -> StoredState:
        """Read everything; for the start, before the first commit."""
        damaged: list[DamagedRow] = []
        facts = dict(self._connection.execute("SELECT name, value FROM facts").fetchall())
        return StoredState(
            boot_id=str(facts.get("boot_id", "")),
            sandboxes=self._records("sandboxes", SandboxRecord, damaged),
            containers=self._records("containers", ContainerRecord, damaged),
            intents=self._intents(damaged),
            damaged=tuple(damaged),
        )

    async def commit(self, *changes: Change) -> None:
        """Apply changes as one transaction; durable against a crash of the daemon when it returns.

        Raises:
            ResourceExhausted: the disk is full; nothing was changed.
            DeadlineExceeded: the disk does not answer; the changes may still be made.
            Internal: SQLite failed otherwise; nothing was changed.
        """
        transaction = self._submit(changes)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await transaction.done
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"state database {self._path}",
                f"did not answer for {self._timeout_seconds:g} s",
                remedy="look at the disk below it",
                reason="SlowDisk",
            ) from error

    def submit(self, *changes: Change) -> None:
        """Apply changes soon, in order with all others, without waiting; a failure is logged."""
        self._submit(changes).done.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Finish what was submitted and close; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, self._timeout_seconds)
        if not self._thread.is_alive():
            self._connection.close()

    def _submit(self, changes: Sequence[Change]) -> _Transaction:
        if self._closed:
            raise Unavailable(f"state database {self._path}", "is closed", reason="ShuttingDown")
        transaction = _Transaction(changes)
        self._queue.put(transaction)
        return transaction

    # --- in the thread

    def _write(self) -> None:
        while True:
            batch = self._next_batch()
            waiting = [item for item in batch if item is not None]
            if waiting:
                self._write_batch(waiting)
            if len(waiting) < len(batch):
                return

    def _next_batch(self) -> list[_Transaction | None]:
        batch = [self._queue.get()]
        while batch[-1] is not None and len(batch) < _BATCH_LIMIT and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _write_batch(self, batch: list[_Transaction]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(transaction) for transaction in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            outcomes = [self._failure(error)] * len(batch)
        for transaction, outcome in zip(batch, outcomes, strict=True):
            transaction.settle(outcome)

    def _apply(self, transaction: _Transaction) -> PodRuntimeError | None:
        self._connection.execute("SAVEPOINT one")
        try:
            for change in transaction.changes:
                self._connection.execute(change.sql, change.parameters)
        except sqlite3.Error as error:
            if not self._connection.in_transaction:
                raise  # SQLite gave up the whole batch (disk full, I/O error)
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return self._failure(error)
        self._connection.execute("RELEASE one")
        return None

    def _failure(self, error: sqlite3.Error) -> PodRuntimeError:
        subject = f"state database {self._path}"
        if _DISK_FULL in str(error):
            failure: PodRuntimeError = ResourceExhausted(
                subject, "the disk is full", remedy="free some space", reason="DiskFull"
            )
        else:
            failure = Internal(subject, f"SQLite says: {error}", reason="DatabaseFailed")
        failure.__cause__ = error
        return failure

    # --- reading

    def _records(self, table: str, kind: type[T], damaged: list[DamagedRow]) -> tuple[T, ...]:
        rows = self._connection.execute(f"SELECT id, record FROM {table} ORDER BY rowid")  # noqa: S608 - our own names
        return tuple(_readable(rows, lambda text: decode(kind, text), table, damaged))

    def _intents(self, damaged: list[DamagedRow]) -> tuple[Intent, ...]:
        rows = self._connection.execute("SELECT key, intent FROM journal ORDER BY rowid")
        return tuple(_readable(rows, intent_from_text, "journal", damaged))


def _readable(
    rows: Iterable[tuple[str, str]], read: Callable[[str], T], table: str, damaged: list[DamagedRow]
) -> Iterator[T]:
    for key, text in rows:
        try:
            yield read(text)
        except PodRuntimeError as error:
            damaged.append(DamagedRow(table=table, key=key, cause=error.cause))


def _version_in_header(path: Path) -> int:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_VERSION.stop)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Unavailable(
            f"state database {path}", "cannot be read", reason="DatabaseUnusable"
        ) from error
    return int.from_bytes(header[_HEADER_VERSION], "big")


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise FailedPrecondition(
            f"state database {path}",
            f"was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION})",
            remedy="start that version again, or remove the pods with it and move the file away",
            reason="NewerSchema",
        )


def _open(path: Path, lock_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=lock_seconds
    )
    try:
        path.chmod(0o600)
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if "locked" in str(error):
            raise Unavailable(
                f"state database {path}",
                "is in use by another daemon",
                remedy="stop it, or give each its own root and state",
                reason="DatabaseLocked",
            ) from error
        raise Unavailable(
            f"state database {path}", f"cannot be opened: {error}", reason="DatabaseUnusable"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Exclusive locking: a second daemon is refused, and WAL needs no shared memory file.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    _refuse_newer(path, version)
    if version < SCHEMA_VERSION:
        # Before WAL, so that the version stands in the header for those who only look at that.
        connection.execute("BEGIN EXCLUSIVE")
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 8388608")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    _take_room(connection)


def _take_room(connection: sqlite3.Connection) -> None:
    """Make the log and the database so large that pods can still be removed when the disk is full.

    Even a deletion writes. SQLite uses the room in its log again after a checkpoint, and free pages of the database before
    it makes the file longer (sqlite.org/wal.html, fileformat2.html section 1.5). Two transactions: pages that are freed in
    the one that made them are never written.
    """
    try:
        connection.execute("INSERT INTO facts VALUES ('room', zeroblob(?))", (_ROOM_BYTES,))
        connection.execute("DELETE FROM facts WHERE name = 'room'")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        log.warning("the state database has no room in reserve: %s", error)


def _log_failure(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("%s", error)
