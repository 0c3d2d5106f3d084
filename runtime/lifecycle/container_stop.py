"""StopContainer: the stop signal once, patience, then SIGKILL; returns after EXITED is published.

    what hangs is given up -> resume if paused -> stop signal (never twice) -> grace -> SIGKILL to all of it -> EXITED

Idempotent: unknown and exited containers are fine. Concurrent calls join, and the shortest timeout of all counts. No lock
is held while waiting.
"""

import logging
from functools import partial

from runtime.drivers.driver import ContainerHandle, ExitStatus
from runtime.errors import DeadlineExceeded, FailedPrecondition, PodRuntimeError
from runtime.lifecycle.dismantle import delete_from_runtime
from runtime.lifecycle.exit_watch import UNKNOWN_EXIT_CODE, publish_exit
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.lifecycle.operations import Operation, Ticket
from runtime.records.container import ContainerRecord, ContainerState
from runtime.spec.stop_signal import signal_number

_KILL_AGAIN_SECONDS = 2.0
"""A frozen cgroup v1 keeps even SIGKILL pending, so a container that does not end is thawed and killed again."""

_PATIENCE_SECONDS = 5.0
"""How long a start or change of the container may go on: they take 5 to 50 ms, so one that is still there hangs."""
_CHANGES = frozenset(("start", "update"))

log = logging.getLogger(__name__)


async def stop_container(node: Node, id: str, timeout_seconds: int) -> None:
    """Stop a container within `timeout_seconds` and a little; 0 kills at once. An unknown id is fine.

    Raises:
        InvalidArgument: the id is empty or ambiguous.
        DeadlineExceeded: it does not end even when killed.
    """
    record = node.find_container(id)
    if record is not None:
        await stop_known_container(node, record, timeout_seconds)


async def stop_known_container(node: Node, record: ContainerRecord, timeout_seconds: int) -> None:
    """As stop_container, for a container that was found."""
    live = node.live.get(record.id)
    if live is None or live.exited.is_set():
        return
    live.shorten_grace(timeout_seconds)
    ticket = Ticket(
        kind="stop",
        key=record.id,
        subject=f"stop {container_name(node, record)}",
        object_id=record.id,
        sandbox_id=record.sandbox_id,
    )
    await node.operations.run(ticket, partial(_stop, node, record.id))


async def _stop(node: Node, container_id: str, operation: Operation) -> None:
    live = node.live.get(container_id)
    if live is None:
        return
    await _give_up_changes(node, container_id)
    # The lock orders this after a start that is under way, and keeps later ones from beginning.
    async with node.locks.hold(container_id, operation.subject):
        live.stopping = True
    try:
        await _signal_and_wait(node, container_id, live, operation)
    finally:
        live.stopping = False
        live.forget_grace()


async def _give_up_changes(node: Node, container_id: str) -> None:
    """Let what changes the container end, and give up what does not: its runtime hangs, and is killed with it."""
    for other in node.operations.running():
        if other.ticket.kind not in _CHANGES or other.ticket.object_id != container_id:
            continue
        if not await other.wait_ended(_PATIENCE_SECONDS):
            log.warning("given up because the container is to stop: %s", other.describe())
            other.abandon(
                FailedPrecondition(
                    other.subject,
                    f"it hung for {other.age_seconds:.0f} s until the container was to stop",
                    remedy="look at what the OCI runtime waits for: a hook, a mount or a device",
                    reason="ContainerStopped",
                )
            )


async def _signal_and_wait(
    node: Node, container_id: str, live: LiveContainer, operation: Operation
) -> None:
    handle = live.handle
    record = node.containers.get(container_id)
    if record is None or live.exited.is_set():
        return
    if handle is None:
        await _kill_unknown(node, record)
        return
    if live.paused:
        await handle.resume()
        live.paused = False
    # A created container's first process is the runtime's own and would not mind the signal.
    if record.state is ContainerState.RUNNING and not live.grace_over():
        if not live.signalled:
            live.signalled = True
            await handle.shutdown(signal_number(record.stop_signal))
        if await live.wait_exited_in_grace():
            return
    await _kill(node, handle, live, operation)


async def _kill_unknown(node: Node, record: ContainerRecord) -> None:
    """End a container that could not be taken up after a restart: all that the driver can find of it."""
    await delete_from_runtime(node, record)
    gone = ExitStatus(exit_code=UNKNOWN_EXIT_CODE, finished_at_ns=node.clock(), monitor_lost=True)
    await publish_exit(node, record.id, gone)


async def _kill(
    node: Node, handle: ContainerHandle, live: LiveContainer, operation: Operation
) -> None:
    await handle.terminate()
    slack = node.settings.stop_slack_seconds
    if await live.wait_exited(min(_KILL_AGAIN_SECONDS, slack)):
        return
    try:
        await handle.resume()
    except PodRuntimeError as error:
        log.debug("%s: not frozen: %s", operation.subject, error)
    await handle.terminate()
    if not await live.wait_exited(slack):
        raise DeadlineExceeded(
            operation.subject,
            f"did not end within {slack:g} s of SIGKILL",
            remedy="a process waits in the kernel, probably for a disk or NFS server; mend that",
            reason="KillTimeout",
        )
