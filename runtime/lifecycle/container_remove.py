"""RemoveContainer: kill it if it runs, take it apart, forget it. Its log stays, the kubelet removes that.

Idempotent: unknown ids are fine; concurrent calls join; a removal that failed goes on where it was.
"""

from functools import partial

from runtime.lifecycle.container_stop import stop_known_container
from runtime.lifecycle.dismantle import dismantle_container
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.records.container import ContainerRecord
from runtime.store.changes import drop_container, drop_intent
from runtime.store.journal import IntentKind


async def remove_container(node: Node, id: str) -> None:
    """Remove a container, running or not. An unknown id is fine.

    Raises:
        InvalidArgument: the id is empty or ambiguous.
        DeadlineExceeded, Internal: it cannot be killed or taken apart; a retry goes on from there.
    """
    record = node.find_container(id)
    if record is not None:
        await remove_known_container(node, record)


async def remove_known_container(node: Node, record: ContainerRecord) -> None:
    """As remove_container, for a container that was found."""
    ticket = Ticket(
        kind="remove",
        key=record.id,
        subject=f"remove {container_name(node, record)}",
        object_id=record.id,
        sandbox_id=record.sandbox_id,
    )
    await node.operations.run(ticket, partial(_remove, node, record))


async def _remove(node: Node, record: ContainerRecord, operation: Operation) -> None:
    async with operation.stage("stop", node.settings.start_seconds + node.settings.create_seconds):
        await stop_known_container(node, record, 0)
    async with node.locks.hold(record.id, operation.subject):
        current = node.containers.get(record.id)
        if current is None:
            return
        async with operation.stage("take apart", 4 * node.settings.undo_step_seconds):
            await dismantle_container(node, current)
        async with operation.stage("forget", node.settings.journal_seconds):
            await node.db.commit(
                drop_container(current.id), drop_intent(IntentKind.START, current.id)
            )
        node.hide_container(current)
    node.tell(EventKind.DELETED, current.id, node.sandboxes.get(current.sandbox_id))
