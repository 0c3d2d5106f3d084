"""RemovePodSandbox: stop the pod if it is not, remove its containers, forget it.

Idempotent: unknown ids are fine. A pod whose network was not released is not forgotten.
"""

import asyncio

from runtime.lifecycle.container_remove import remove_known_container
from runtime.lifecycle.dismantle import dismantle_sandbox
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import pod_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.lifecycle.sandbox_stop import stop_known_sandbox
from runtime.store.changes import drop_sandbox


async def remove_sandbox(node: Node, id: str) -> None:
    """Remove a pod and all its containers, running or not. An unknown id is fine.

    Raises:
        InvalidArgument: the id is empty or ambiguous.
        DeadlineExceeded, Unavailable, Internal: something could not be released; a retry goes on from there.
    """
    record = node.find_sandbox(id)
    if record is None:
        return
    ticket = Ticket(
        kind="remove-pod",
        key=record.id,
        subject=f"remove {pod_name(record)}",
        object_id=record.id,
        sandbox_id=record.id,
    )
    await node.operations.run(ticket, lambda operation: _remove(node, record.id, operation))


async def _remove(node: Node, sandbox_id: str, operation: Operation) -> None:
    record = node.sandboxes.get(sandbox_id)
    if record is None:
        return
    async with operation.stage(
        "stop", node.settings.network_seconds + node.settings.create_seconds
    ):
        await stop_known_sandbox(node, record)
    async with operation.stage("containers", node.settings.create_seconds):
        async with asyncio.TaskGroup() as group:
            for one in node.containers_of(sandbox_id):
                group.create_task(remove_known_container(node, one), name=f"remove {one.id[:12]}")
    async with node.locks.hold(sandbox_id, operation.subject):
        record = node.sandboxes[sandbox_id]
        async with operation.stage("files", node.settings.undo_step_seconds):
            await dismantle_sandbox(node, record)
        async with operation.stage("forget", node.settings.journal_seconds):
            await node.db.commit(drop_sandbox(sandbox_id))
        node.hide_sandbox(record)
    node.tell(EventKind.DELETED, sandbox_id, record)
