"""What became of one container while no daemon ran.

What lives is watched again; what ended is published with its code and time before the first request is served. One whose
driver cannot be used is UNKNOWN, never guessed to be dead: it may still run.
"""

import asyncio
import logging
from dataclasses import replace

from runtime.drivers.driver import ContainerHandle, ContainerIdentity
from runtime.errors import NotFound, PodRuntimeError
from runtime.host.host import ProcessIdentity
from runtime.lifecycle.exit_watch import (
    MONITOR_LOST,
    UNKNOWN_EXIT_CODE,
    exited_record,
    publish_exit,
    show_exited,
    watch_exit,
)
from runtime.lifecycle.live_container import LiveContainer
from runtime.lifecycle.node import Node
from runtime.records.container import ContainerRecord, ContainerState
from runtime.store.changes import drop_intent, put_container
from runtime.store.journal import IntentKind

_OPEN_SECONDS = 10.0
_EXIT_SECONDS = 5.0
"""An exit that was recorded is read at once; the monitor of one that ends right now needs milliseconds."""

log = logging.getLogger(__name__)


async def take_up_container(
    node: Node, record: ContainerRecord, start_status: str, places: asyncio.Semaphore
) -> None:
    """Publish a container as it is now, and watch it if it lives.

    `start_status` is what the runtime says of one whose start was under way, else empty.
    """
    live = LiveContainer()
    node.live[record.id] = live
    if record.state is ContainerState.EXITED:
        live.exited.set()
        node.show_container(record)
        return
    node.show_container(_after_start(node, record, start_status))
    async with places:
        handle = await _open(node, record)
        if handle is None:
            return
        live.handle = handle
        if not node.host.is_alive(_init(record)) and await _publish_end(node, record.id, handle):
            return
    watch_exit(node, record)


def _after_start(node: Node, record: ContainerRecord, status: str) -> ContainerRecord:
    """Decide by the runtime's word whether a start that was under way happened."""
    if not status:
        return record
    if status == "running" and record.state is ContainerState.CREATED:
        record = replace(record, state=ContainerState.RUNNING, started_at_ns=node.clock())
    node.db.submit(put_container(record), drop_intent(IntentKind.START, record.id))
    return record


async def _open(node: Node, record: ContainerRecord) -> ContainerHandle | None:
    driver = node.drivers.get(record.handler)
    if driver is None:
        _show_unknown(node, record.id, f"there is no handler {record.handler} any more")
        return None
    identity = ContainerIdentity(
        pid=record.pid,
        pid_start_time=record.pid_start_time,
        monitor_pid=record.monitor_pid,
        monitor_start_time=record.monitor_start_time,
    )
    try:
        async with asyncio.timeout(_OPEN_SECONDS):  # files and pidfds alone
            return await driver.open(record.id, node.paths.bundle(record.id), identity)
    except NotFound as error:
        _show_lost(node, record.id, error)
    except (PodRuntimeError, TimeoutError) as error:
        _show_unknown(node, record.id, str(error) or "its driver does not answer")
    except Exception as error:
        log.error("container %s cannot be taken up", record.id, exc_info=error)
        _show_unknown(node, record.id, f"a fault of ours ({type(error).__name__})")
    return None


async def _publish_end(node: Node, container_id: str, handle: ContainerHandle) -> bool:
    try:
        status = await handle.wait_with_timeout(_EXIT_SECONDS)
    except PodRuntimeError as error:
        log.warning("container %s has ended, but not how: %s", container_id, error)
        return False
    await publish_exit(node, container_id, status)
    return True


def _show_lost(node: Node, container_id: str, error: NotFound) -> None:
    log.warning("container %s: %s", container_id, error)
    lost = exited_record(
        node.containers[container_id],
        UNKNOWN_EXIT_CODE,
        node.clock(),
        MONITOR_LOST,
        "neither process nor exit record was found after a restart of the daemon",
    )
    show_exited(node, lost)


def _show_unknown(node: Node, container_id: str, cause: str) -> None:
    log.error("container %s cannot be taken up: %s", container_id, cause)
    record = node.containers[container_id]
    node.show_container(replace(record, state=ContainerState.UNKNOWN, message=cause))


def _init(record: ContainerRecord) -> ProcessIdentity:
    return ProcessIdentity(pid=record.pid, start_time=record.pid_start_time)
