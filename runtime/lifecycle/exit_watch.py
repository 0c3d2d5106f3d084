"""What happens when a container ends: one watcher per container, from its creation to its end.

Before EXITED is published everything about the end is known: code, time, whether memory ran out. RUNNING always comes
before EXITED. A container that shares its PID namespace leaves nothing behind: the rest of its cgroup is killed.
"""

import logging
from dataclasses import replace

from runtime.drivers.driver import ContainerHandle, ExitStatus
from runtime.errors import PodRuntimeError
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.node import Node
from runtime.records.container import ContainerEvent, ContainerRecord, ContainerState, transition
from runtime.records.security import NamespaceMode
from runtime.spec.cgroups_path import filesystem_cgroup
from runtime.store.changes import drop_intent, put_container
from runtime.store.journal import IntentKind

COMPLETED = "Completed"
ERROR = "Error"
OOM_KILLED = "OOMKilled"
START_ERROR = "StartError"
MONITOR_LOST = "MonitorLost"
UNKNOWN_EXIT_CODE = 255

log = logging.getLogger(__name__)


def watch_exit(node: Node, record: ContainerRecord) -> None:
    """Watch a container in the background until it has ended."""
    live = node.live[record.id]
    if live.handle is not None:
        watcher = _watch(node, record.id, live.handle)
        node.supervisor.spawn(watcher, name=f"exit of {record.id[:12]}")


async def publish_exit(node: Node, container_id: str, status: ExitStatus) -> None:
    """Make a container EXITED; nothing happens when it already is, or is gone."""
    live = node.live.get(container_id)
    if live is None:
        return
    await live.start_settled.wait()  # the start has a limit of its own
    await _kill_rest(node, container_id)
    record = node.containers.get(container_id)
    if record is None or record.state is ContainerState.EXITED:
        return
    show_exited(
        node, exited_record(record, status.exit_code, status.finished_at_ns, *_reason(status))
    )


def exited_record(
    record: ContainerRecord, exit_code: int, finished_at_ns: int, reason: str, message: str
) -> ContainerRecord:
    """Return the record after its end."""
    return replace(
        record,
        state=transition(record.state, ContainerEvent.EXITED),
        exit_code=exit_code,
        # A file's time comes from the kernel's coarse clock, up to one tick behind the precise one
        # (clock_gettime(2), CLOCK_REALTIME_COARSE): an end must not be seen before its start.
        finished_at_ns=max(finished_at_ns, record.started_at_ns),
        reason=reason,
        message=message,
    )


def show_exited(node: Node, record: ContainerRecord) -> None:
    """Publish an end: memory first, the database when it can.

    After a crash in between, the next start finds the end again where the driver keeps it.
    """
    node.show_container(record)
    live = node.live.get(record.id)
    if live is not None:
        live.exited.set()
    node.tell(EventKind.STOPPED, record.id, node.sandboxes.get(record.sandbox_id))
    node.db.submit(put_container(record), drop_intent(IntentKind.START, record.id))


async def _watch(node: Node, container_id: str, handle: ContainerHandle) -> None:
    try:
        status = await handle.wait()
    except PodRuntimeError as error:
        record = node.containers.get(container_id)
        if record is None or record.state is ContainerState.EXITED:
            return  # its start failed, or it was removed: the handle was closed
        log.error("container %s: its end cannot be observed: %s", container_id, error)
        status = ExitStatus(
            exit_code=UNKNOWN_EXIT_CODE, finished_at_ns=node.clock(), monitor_lost=True
        )
    await publish_exit(node, container_id, status)


async def _kill_rest(node: Node, container_id: str) -> None:
    record = node.containers.get(container_id)
    if record is None or record.config.security.namespaces.pid is NamespaceMode.CONTAINER:
        return  # the kernel kills all of a PID namespace with its first process
    cgroup = filesystem_cgroup(record.cgroups_path)
    if not cgroup:
        return
    try:
        await node.host.kill_cgroup(cgroup)
    except PodRuntimeError as error:
        log.warning("container %s: processes may be left in %s: %s", container_id, cgroup, error)


def _reason(status: ExitStatus) -> tuple[str, str]:
    if status.oom_killed and status.exit_code != 0:
        return OOM_KILLED, "memory ran out"
    if status.monitor_lost:
        return (
            MONITOR_LOST,
            "the container's monitor ended before it; exit code and log may be wrong",
        )
    return (COMPLETED if status.exit_code == 0 else ERROR), status.message
