"""The database keeps what was committed, refuses what it does not know, and lets each transaction fail alone."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    ResourceExhausted,
    Unavailable,
)
from runtime.store.changes import (
    Change,
    drop_container,
    drop_intent,
    drop_sandbox,
    put_boot_id,
    put_container,
    put_intent,
    put_sandbox,
)
from runtime.store.journal import IntentKind
from runtime.store.state_db import SCHEMA_VERSION, StateDatabase, StoredState
from runtime.tests.store.sample_rows import container, intent, sandbox

BROKEN = Change("INSERT INTO nowhere VALUES (?)", ("1",))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[StateDatabase]:
    one = StateDatabase(tmp_path / "state.db")
    yield one
    await one.close()


async def reopened(db: StateDatabase, tmp_path: Path) -> StoredState:
    await db.close()
    again = StateDatabase(tmp_path / "state.db")
    state = again.load()
    await again.close()
    return state


async def test_a_new_database_is_empty_and_private(db: StateDatabase, tmp_path: Path) -> None:
    assert db.load() == StoredState(boot_id="")
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


async def test_what_was_committed_is_there_after_a_restart_in_order(
    db: StateDatabase, tmp_path: Path
) -> None:
    await db.commit(put_intent(intent(1)))
    await db.commit(put_sandbox(sandbox(2)), put_sandbox(sandbox(1)), put_boot_id("b"))
    await db.commit(put_container(container()))
    assert await reopened(db, tmp_path) == StoredState(
        boot_id="b",
        sandboxes=(sandbox(2), sandbox(1)),
        containers=(container(),),
        intents=(intent(1),),
    )


async def test_what_was_dropped_is_gone(db: StateDatabase, tmp_path: Path) -> None:
    await db.commit(put_sandbox(sandbox()), put_container(container()), put_intent(intent()))
    await db.commit(
        drop_sandbox(sandbox().id),
        drop_container(container().id),
        drop_intent(IntentKind.RUN, intent().object_id),
    )
    assert await reopened(db, tmp_path) == StoredState(boot_id="")


async def test_a_transaction_is_whole_or_not_at_all(db: StateDatabase) -> None:
    with pytest.raises(Internal, match="nowhere"):
        await db.commit(put_sandbox(sandbox()), BROKEN)
    assert db.load().sandboxes == ()


async def test_transactions_that_share_a_commit_fail_alone(db: StateDatabase) -> None:
    results = await asyncio.gather(
        *(
            db.commit(put_sandbox(sandbox(n))) if n % 3 else db.commit(BROKEN)
            for n in range(1, 301)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Internal) for result in results) == 100
    assert len(db.load().sandboxes) == 200


async def test_what_is_submitted_is_written_before_the_end(
    db: StateDatabase, tmp_path: Path
) -> None:
    db.submit(put_sandbox(sandbox()))
    assert (await reopened(db, tmp_path)).sandboxes == (sandbox(),)


async def test_a_failed_submission_is_logged(
    db: StateDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    db.submit(BROKEN)
    await db.commit()
    assert "nowhere" in caplog.text


async def test_a_caller_that_goes_away_takes_nothing_back(db: StateDatabase) -> None:
    waiting = asyncio.create_task(db.commit(put_sandbox(sandbox())))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await db.commit()
    assert db.load().sandboxes == (sandbox(),)


async def test_a_closed_database_takes_nothing(db: StateDatabase) -> None:
    await db.close()
    await db.close()
    with pytest.raises(Unavailable):
        await db.commit()


async def test_a_second_daemon_is_refused(db: StateDatabase, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="in use by another daemon"):
        StateDatabase(tmp_path / "state.db", lock_seconds=0)


def make_newer(path: Path, *, wal: bool) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.execute("CREATE TABLE later (x)")
    connection.close()


@pytest.mark.parametrize("wal", [True, False])
async def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path, wal: bool) -> None:
    path = tmp_path / "state.db"
    make_newer(path, wal=wal)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(FailedPrecondition, match="newer version"):
        StateDatabase(path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises((Unavailable, FailedPrecondition)):
        StateDatabase(path)
    with pytest.raises(Unavailable, match="cannot be read"):
        StateDatabase(tmp_path)


async def test_a_damaged_row_hides_no_other(db: StateDatabase) -> None:
    await db.commit(put_sandbox(sandbox(1)), put_sandbox(sandbox(2)))
    await db.commit(Change("UPDATE sandboxes SET record = ? WHERE id = ?", ("{", sandbox(1).id)))
    state = db.load()
    assert state.sandboxes == (sandbox(2),)
    assert [(row.table, row.key) for row in state.damaged] == [("sandboxes", sandbox(1).id)]


async def test_a_full_disk_is_told_as_such_and_changes_nothing(db: StateDatabase) -> None:
    await db.commit(Change("PRAGMA max_page_count = 8", ()))
    large = [Change("INSERT INTO facts VALUES (?, ?)", (str(n), "x" * 200_000)) for n in range(10)]
    with pytest.raises(ResourceExhausted, match="disk is full"):
        await db.commit(*large)
    await db.commit(put_boot_id("b"))
    assert db.load().boot_id == "b"


async def test_a_disk_that_does_not_answer_is_a_deadline(tmp_path: Path) -> None:
    db = StateDatabase(tmp_path / "state.db", timeout_seconds=0.01)
    gate = threading.Event()
    db._connection.create_function("hang", 0, lambda: gate.wait(5))
    with pytest.raises(DeadlineExceeded, match="did not answer"):
        await db.commit(Change("INSERT INTO facts VALUES (hang(), ?)", ("x",)))
    gate.set()
    await asyncio.to_thread(db._thread.join, 0.01)
    db._timeout_seconds = 5
    await db.close()


async def test_log_and_database_have_room_for_removals_on_a_full_disk(
    db: StateDatabase, tmp_path: Path
) -> None:
    assert (tmp_path / "state.db-wal").stat().st_size > 1024 * 1024
    before = (tmp_path / "state.db-wal").stat().st_size
    await db.commit(put_sandbox(sandbox()))
    await db.commit(drop_sandbox(sandbox().id))
    assert (tmp_path / "state.db-wal").stat().st_size == before
