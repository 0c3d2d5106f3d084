"""The process that holds a pod's PID namespace, for pods that share one.

It lives in a cgroup of its own below the pod's, so that it can be found and killed even when the daemon died before
writing down its pid. When it ends by itself the pod is NOTREADY: the kernel has killed everything in the namespace.
A pod that was run without one gets it when a container first asks for the pod's PID namespace.
"""

import logging
import signal
from dataclasses import replace

from runtime.errors import FailedPrecondition, PodRuntimeError, Unavailable
from runtime.host.host import PauseRequest, ProcessIdentity
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.node import Node
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.records.security import NamespaceMode
from runtime.spec.cgroups_path import cgroups_path, filesystem_cgroup
from runtime.store.changes import put_sandbox

log = logging.getLogger(__name__)


def has_pause(record: SandboxRecord) -> bool:
    """Tell whether the pod has, or may have, a pause process."""
    return record.pause_requested or shares_process_ids(record)


def shares_process_ids(record: SandboxRecord) -> bool:
    """Tell whether the pod was run to share one PID namespace among its containers."""
    return record.config.linux.security.namespaces.pid is NamespaceMode.POD


def pause_cgroup(node: Node, record: SandboxRecord) -> str:
    """Return the cgroup of the pod's pause process, below each hierarchy's root."""
    parent = record.config.linux.cgroup_parent
    return filesystem_cgroup(cgroups_path(parent, record.id, systemd=node.settings.systemd_cgroups))


async def start_pause(node: Node, record: SandboxRecord) -> SandboxRecord:
    """Start it; return the record with its identity."""
    identity = await node.host.start_pause(
        PauseRequest(
            program=node.settings.pause_program,
            namespaces=node.paths.namespaces(record.id),
            cgroup=pause_cgroup(node, record),
        )
    )
    return replace(record, pause_pid=identity.pid, pause_start_time=identity.start_time)


async def ensure_pause(node: Node, sandbox_id: str, subject: str) -> SandboxRecord:
    """Start the pause process of a READY pod unless it has one; return the pod's record.

    Raises:
        FailedPrecondition: the pod was stopped meanwhile.
        PodRuntimeError: it cannot be started; what was begun goes when the pod is stopped, or at the next try.
    """
    async with node.locks.hold(sandbox_id, subject):
        record = node.sandboxes.get(sandbox_id)
        if record is None or record.state is not SandboxState.READY:
            raise FailedPrecondition(subject, "the pod was stopped meanwhile", reason="PodStopped")
        if record.pause_pid:
            return record
        await end_pause(node, record)  # what an earlier try left
        await _write_down(node, replace(record, pause_requested=True))
        started = await start_pause(node, node.sandboxes[sandbox_id])
        await _write_down(node, started)
        watch_pause(node, started)
        return started


async def _write_down(node: Node, record: SandboxRecord) -> None:
    await node.db.commit(put_sandbox(record))
    node.show_sandbox(record)


async def end_pause(node: Node, record: SandboxRecord) -> None:
    """Kill it, wait for its end and remove its cgroup; idempotent, also when its pid was never written down.

    Raises:
        Unavailable: it does not end.
    """
    if not has_pause(record):
        return
    cgroup = pause_cgroup(node, record)
    await node.host.kill_cgroup(cgroup)
    identity = _identity(record)
    if identity is not None and await node.host.signal(identity, signal.SIGKILL):
        await _wait_gone(node, identity)
    await node.host.remove_cgroup(cgroup)


def pause_alive(node: Node, record: SandboxRecord) -> bool:
    """Tell whether the process that the record names still exists."""
    identity = _identity(record)
    return identity is not None and node.host.is_alive(identity)


def watch_pause(node: Node, record: SandboxRecord) -> None:
    """Watch it in the background as long as it lives."""
    if record.pause_pid:
        node.supervisor.spawn(_watch(node, record.id), name=f"pause of {record.id[:12]}")


async def _watch(node: Node, sandbox_id: str) -> None:
    identity = _identity(node.sandboxes[sandbox_id])
    if identity is None:
        return
    await node.host.wait_gone(identity, None)
    record = node.sandboxes.get(sandbox_id)
    if record is None or record.state is not SandboxState.READY:
        return
    log.warning("pod %s: its pause process ended, it is not ready any more", sandbox_id)
    dead = replace(record, state=SandboxState.NOTREADY)
    node.show_sandbox(dead)
    node.tell(EventKind.STOPPED, sandbox_id, dead)
    try:
        await node.db.commit(put_sandbox(dead))
    except PodRuntimeError:
        log.exception("pod %s: its end could not be written down", sandbox_id)


async def _wait_gone(node: Node, identity: ProcessIdentity) -> None:
    limit = node.settings.stop_slack_seconds
    if not await node.host.wait_gone(identity, limit):
        raise Unavailable(
            f"pause process {identity.pid}", f"did not end within {limit:g} s", reason="KillTimeout"
        )


def _identity(record: SandboxRecord) -> ProcessIdentity | None:
    if not record.pause_pid:
        return None
    return ProcessIdentity(pid=record.pause_pid, start_time=record.pause_start_time)
