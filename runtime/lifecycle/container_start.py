"""StartContainer: a CREATED container runs, or is EXITED with code 128 and says why.

The journal's row is written before the start, so that after a crash in between the runtime is asked whether it
happened. A failed start is final, as in containerd: the kubelet makes a new container. So is one that hangs and that a
stop has given up; a start that the daemon's own end cuts short is not, the runtime is asked then.
"""

import asyncio
import logging
from dataclasses import replace

from runtime.errors import FailedPrecondition, PodRuntimeError
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.exit_watch import START_ERROR, show_exited
from runtime.lifecycle.failures import retold
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.records.container import ContainerEvent, ContainerRecord, ContainerState, transition
from runtime.records.sandbox import SandboxState
from runtime.store.changes import drop_intent, put_container, put_intent
from runtime.store.journal import Intent, IntentKind

START_FAILED_CODE = 128
"""As containerd reports it."""

log = logging.getLogger(__name__)


async def start_container(node: Node, id: str) -> None:
    """Start a created container; returns when its process runs.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not CREATED, or its pod is not READY.
        PodRuntimeError: the start failed; the container is EXITED now.
    """
    record = node.container(id)
    ticket = Ticket(
        kind="start",
        key=record.id,
        subject=f"start {container_name(node, record)}",
        object_id=record.id,
        sandbox_id=record.sandbox_id,
    )
    await node.operations.run(ticket, lambda operation: _start(node, record.id, operation))


async def _start(node: Node, container_id: str, operation: Operation) -> None:
    async with node.locks.hold(container_id, operation.subject):
        record = node.container(container_id)
        live = node.live[container_id]
        _check(node, record, live, operation.subject)
        intent = Intent(kind=IntentKind.START, object_id=container_id, started_at_ns=node.clock())
        async with operation.stage("journal", node.settings.journal_seconds):
            await node.db.commit(put_intent(intent))
        live.start_settled.clear()
        try:
            await _start_or_fail(node, record, live, operation)
        finally:
            live.start_settled.set()


async def _start_or_fail(
    node: Node, record: ContainerRecord, live: LiveContainer, operation: Operation
) -> None:
    if live.handle is None:
        raise FailedPrecondition(operation.subject, "the container is gone", reason="WrongState")
    try:
        async with operation.stage("runtime start", node.settings.start_seconds):
            await live.handle.start()
    except PodRuntimeError as error:
        told = retold(error, operation.subject)
        await _fail(node, record, live, told)
        raise told from error
    except asyncio.CancelledError:
        if operation.abandoned is not None:
            await _fail(node, record, live, operation.abandoned)
        raise
    running = replace(
        record,
        state=transition(record.state, ContainerEvent.STARTED),
        started_at_ns=node.clock(),
    )
    node.show_container(running)
    node.tell(EventKind.STARTED, record.id, node.sandboxes.get(record.sandbox_id))
    node.db.submit(put_container(running), drop_intent(IntentKind.START, record.id))


async def _fail(
    node: Node, record: ContainerRecord, live: LiveContainer, error: PodRuntimeError
) -> None:
    if live.handle is not None:
        try:
            await live.handle.terminate()
        except PodRuntimeError as also:
            log.warning("%s: what was created is not killed yet: %s", error.subject, also)
    failed = replace(
        record,
        state=transition(record.state, ContainerEvent.START_FAILED),
        exit_code=START_FAILED_CODE,
        reason=START_ERROR,
        message=str(error),
        started_at_ns=0,
        finished_at_ns=node.clock(),
    )
    show_exited(node, failed)


def _check(node: Node, record: ContainerRecord, live: LiveContainer, subject: str) -> None:
    if record.state is not ContainerState.CREATED or live.stopping:
        state = "being stopped" if live.stopping else str(record.state)
        raise FailedPrecondition(
            subject,
            f"the container is {state}, only a created one can be started",
            remedy="create a new one",
            reason="WrongState",
        )
    sandbox = node.sandboxes.get(record.sandbox_id)
    if sandbox is None or sandbox.state is not SandboxState.READY:
        raise FailedPrecondition(
            subject,
            "its pod is not ready",
            remedy="run a new pod",
            reason="PodNotReady",
        )
