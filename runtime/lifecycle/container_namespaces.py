"""The namespaces that a container joins: its pod's pins, the host's, or another container's.

Network, IPC and UTS are always the pod's; the PID namespace is as the container asks. Nothing is joined by a number that
could mean another process by then (security rule H3).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.host.host import ProcessIdentity
from runtime.lifecycle.node import Node
from runtime.lifecycle.sandbox_network import owns_network
from runtime.records.container import ContainerRecord, ContainerState
from runtime.records.sandbox import SandboxRecord
from runtime.records.security import NamespaceMode
from runtime.spec.request import NamespacePaths


@contextmanager
def namespace_paths(
    node: Node, sandbox: SandboxRecord, record: ContainerRecord
) -> Iterator[NamespacePaths]:
    """Give the namespaces to join; a target's is held open as long as the caller needs it.

    Raises:
        InvalidArgument, FailedPrecondition: there is no such PID namespace.
    """
    pins = node.paths.namespaces(sandbox.id)
    own_network = owns_network(sandbox)
    own_ipc = sandbox.config.linux.security.namespaces.ipc is not NamespaceMode.NODE
    with _pid_namespace(node, sandbox, record) as pid:
        yield NamespacePaths(
            network=str(pins / "net") if own_network else "",
            ipc=str(pins / "ipc") if own_ipc else "",
            uts=str(pins / "uts") if own_network else "",
            pid=pid,
            host_network=not own_network,
            host_ipc=not own_ipc,
            host_uts=not own_network,
            host_pid=uses_host_pid(sandbox, record),
        )


def uses_host_pid(sandbox: SandboxRecord, record: ContainerRecord) -> bool:
    """Tell whether the container sees the host's processes: it asks for them, or for those of a pod that does."""
    return NamespaceMode.NODE in _pid_modes(sandbox, record)


def uses_pause(sandbox: SandboxRecord, record: ContainerRecord) -> bool:
    """Tell whether the container joins the PID namespace that the pod's pause process holds."""
    mode, of_pod = _pid_modes(sandbox, record)
    return mode is NamespaceMode.POD and of_pod is not NamespaceMode.NODE


def _pid_modes(
    sandbox: SandboxRecord, record: ContainerRecord
) -> tuple[NamespaceMode, NamespaceMode]:
    """Return the container's mode, and the pod's where the container follows it."""
    mode = record.config.security.namespaces.pid
    of_pod = sandbox.config.linux.security.namespaces.pid
    return mode, of_pod if mode is NamespaceMode.POD else mode


@contextmanager
def _pid_namespace(node: Node, sandbox: SandboxRecord, record: ContainerRecord) -> Iterator[str]:
    mode = record.config.security.namespaces.pid
    if mode is NamespaceMode.TARGET:
        with _target_namespace(node, sandbox, record) as path:
            yield path
        return
    yield str(node.paths.namespaces(sandbox.id) / "pid") if uses_pause(sandbox, record) else ""


@contextmanager
def _target_namespace(node: Node, sandbox: SandboxRecord, record: ContainerRecord) -> Iterator[str]:
    target = node.container(record.config.security.namespaces.target_id)
    identity = ProcessIdentity(pid=target.pid, start_time=target.pid_start_time)
    if target.sandbox_id != sandbox.id:
        raise InvalidArgument(
            f"container {target.id[:12]}", "is in another pod", reason="ForeignTarget"
        )
    try:
        descriptor = os.open(f"/proc/{target.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise _target_gone(target) from None
    try:
        # Compared after opening: a recycled pid is never joined (security rule H3).
        if target.state is not ContainerState.RUNNING or not node.host.is_alive(identity):
            raise _target_gone(target)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _target_gone(target: ContainerRecord) -> FailedPrecondition:
    return FailedPrecondition(
        f"container {target.id[:12]}",
        f"is {target.state}, its PID namespace cannot be joined",
        reason="TargetNotRunning",
    )
