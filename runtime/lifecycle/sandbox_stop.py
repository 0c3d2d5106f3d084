"""StopPodSandbox: nothing of the pod runs any more, and what others could use is free again.

    NOTREADY -> unfinished creates undone -> containers killed, all at once -> pause process -> network -> namespaces, files

Idempotent: unknown pods are fine, a repeated stop does what is left, concurrent ones join. A network that does not let go
fails the stop, stays written down and is tried again here, at remove, at start-up and periodically.
"""

import asyncio
import logging
from dataclasses import replace

from runtime.errors import FailedPrecondition, PodRuntimeError
from runtime.lifecycle.clean_up import retry_clean_ups
from runtime.lifecycle.container_stop import stop_known_container
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import pod_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.lifecycle.sandbox_files import destroy_files
from runtime.lifecycle.sandbox_network import release_network
from runtime.lifecycle.sandbox_pause import end_pause
from runtime.records.container import ContainerState
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.store.changes import put_sandbox

log = logging.getLogger(__name__)


async def stop_sandbox(node: Node, id: str) -> None:
    """Stop a pod; returns when its containers are EXITED and its network is released. An unknown id is fine.

    Raises:
        InvalidArgument: the id is empty or ambiguous.
        DeadlineExceeded: a container cannot be killed, or a stage took too long.
        Unavailable: the network plugin did not acknowledge; the rest is done.
    """
    record = node.find_sandbox(id)
    if record is not None:
        await stop_known_sandbox(node, record)


async def stop_known_sandbox(node: Node, record: SandboxRecord) -> None:
    """As stop_sandbox, for a sandbox that was found."""
    ticket = Ticket(
        kind="stop-pod",
        key=record.id,
        subject=f"stop {pod_name(record)}",
        object_id=record.id,
        sandbox_id=record.id,
    )
    await node.operations.run(ticket, lambda operation: _stop(node, record.id, operation))


async def _stop(node: Node, sandbox_id: str, operation: Operation) -> None:
    async with node.locks.hold(sandbox_id, operation.subject):
        if sandbox_id not in node.sandboxes:
            return
        await _mark_not_ready(node, sandbox_id)
        await _end_creates(node, sandbox_id, operation)
        await _stop_containers(node, sandbox_id, operation)
        await retry_clean_ups(node, sandbox_id=sandbox_id)
        record = node.sandboxes[sandbox_id]
        async with operation.stage("pause process", node.settings.undo_step_seconds):
            await end_pause(node, record)
        async with operation.stage("network", node.settings.network_seconds):
            await release_network(node, sandbox_id)
        async with operation.stage("namespaces", node.settings.undo_step_seconds):
            await node.host.destroy_namespaces(node.paths.namespaces(sandbox_id))
            await destroy_files(node, record)


async def _mark_not_ready(node: Node, sandbox_id: str) -> None:
    """Publish NOTREADY first, so that no container can be created any more."""
    record = node.sandboxes[sandbox_id]
    if record.state is SandboxState.NOTREADY and record.stop_requested:
        return
    stopped = replace(record, state=SandboxState.NOTREADY, stop_requested=True)
    node.show_sandbox(stopped)
    if record.state is SandboxState.READY:
        node.tell(EventKind.STOPPED, sandbox_id, stopped)
    try:
        await node.db.commit(put_sandbox(stopped))
    except PodRuntimeError as error:
        # A full disk must not keep pods from being stopped; what stays behind is found at the next start.
        log.error("%s: the stop is not written down: %s", pod_name(record), error)


async def _end_creates(node: Node, sandbox_id: str, operation: Operation) -> None:
    creates = [
        one
        for one in node.operations.running()
        if one.ticket.kind == "create" and one.ticket.sandbox_id == sandbox_id
    ]
    if not creates:
        return
    async with operation.stage("unfinished creates", node.settings.create_seconds):
        for create in creates:
            create.abandon(
                FailedPrecondition(create.subject, "the pod is being stopped", reason="PodStopped")
            )
        for create in creates:
            await create.wait_ended(node.settings.create_seconds)


async def _stop_containers(node: Node, sandbox_id: str, operation: Operation) -> None:
    running = [
        one for one in node.containers_of(sandbox_id) if one.state is not ContainerState.EXITED
    ]
    if not running:
        return
    # The kubelet has given each container its grace time before; as in containerd, what is left is killed.
    async with operation.stage("containers", node.settings.create_seconds):
        async with asyncio.TaskGroup() as group:
            for one in running:
                group.create_task(stop_known_container(node, one, 0), name=f"stop {one.id[:12]}")
