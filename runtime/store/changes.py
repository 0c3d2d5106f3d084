"""Single changes of the state database; several make one transaction.

Each is plain SQL with parameters (never text put together), so that a transaction can be built without the database.
"""

from dataclasses import dataclass

from runtime.records.container import ContainerRecord
from runtime.records.json_codec import encode
from runtime.records.sandbox import SandboxRecord
from runtime.store.journal import Intent, IntentKind, intent_text


@dataclass(frozen=True, slots=True)
class Change:
    """One statement."""

    sql: str
    parameters: tuple[str, ...]


def put_sandbox(record: SandboxRecord) -> Change:
    """Store a sandbox, in place of an earlier version."""
    return Change("INSERT OR REPLACE INTO sandboxes VALUES (?, ?)", (record.id, encode(record)))


def drop_sandbox(sandbox_id: str) -> Change:
    """Forget a sandbox."""
    return Change("DELETE FROM sandboxes WHERE id = ?", (sandbox_id,))


def put_container(record: ContainerRecord) -> Change:
    """Store a container, in place of an earlier version."""
    return Change("INSERT OR REPLACE INTO containers VALUES (?, ?)", (record.id, encode(record)))


def drop_container(container_id: str) -> Change:
    """Forget a container."""
    return Change("DELETE FROM containers WHERE id = ?", (container_id,))


def put_intent(intent: Intent) -> Change:
    """Write a row of the journal, in place of an earlier version."""
    return Change("INSERT OR REPLACE INTO journal VALUES (?, ?)", (intent.key, intent_text(intent)))


def drop_intent(kind: IntentKind, object_id: str) -> Change:
    """Drop a row of the journal."""
    return Change("DELETE FROM journal WHERE key = ?", (f"{kind}/{object_id}",))


def put_boot_id(boot_id: str) -> Change:
    """Remember the boot that the records belong to."""
    return Change("INSERT OR REPLACE INTO facts VALUES ('boot_id', ?)", (boot_id,))
