"""How an operation's row of the journal ends when the operation fails: dropped when all was undone, else kept.

A kept row is the promise that its clean-up is tried again: at the next stop, remove or start, and periodically.
"""

from dataclasses import replace

from runtime.lifecycle.node import Node
from runtime.store.changes import (
    Change,
    drop_container,
    drop_intent,
    drop_sandbox,
    put_intent,
)
from runtime.store.journal import Intent, IntentKind


async def settle_failed(node: Node, intent: Intent, failed_steps: tuple[str, ...]) -> None:
    """Drop the row when no clean-up step failed, else write the failures into it.

    Raises:
        PodRuntimeError: the database failed; the row stays as it was.
    """
    # Cancelling may have come while the record was being written: then it is there, and must not stay.
    forget = _record_of(intent)
    if not failed_steps:
        node.pending.pop(intent.key, None)
        await node.db.commit(*forget, drop_intent(intent.kind, intent.object_id))
        return
    kept = replace(intent, failed_steps=failed_steps)
    node.pending[intent.key] = kept
    await node.db.commit(*forget, put_intent(kept))


def _record_of(intent: Intent) -> tuple[Change, ...]:
    if intent.kind is IntentKind.RUN:
        return (drop_sandbox(intent.object_id),)
    if intent.kind is IntentKind.CREATE:
        return (drop_container(intent.object_id),)
    return ()
