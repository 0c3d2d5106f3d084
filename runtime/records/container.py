"""A container: what was asked for, what it became, and the states it can be in.

    (absent) --create--> CREATED --start--> RUNNING --exit--> EXITED --remove--> (absent)
                            |--- start fails, or killed ---->|

A container is never visible before it is CREATED, and never leaves EXITED but by removal.
`transition` holds the table; an event that is not in it raises and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runtime.errors import FailedPrecondition
from runtime.records.resources import LinuxResources
from runtime.records.security import ContainerSecurity, IdMapping


class ContainerState(StrEnum):
    """CRI ContainerState."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


class ContainerEvent(StrEnum):
    """What can happen to a container."""

    STARTED = "started"
    START_FAILED = "start_failed"
    EXITED = "exited"


_TRANSITIONS: Mapping[tuple[ContainerState, ContainerEvent], ContainerState] = {
    (ContainerState.CREATED, ContainerEvent.STARTED): ContainerState.RUNNING,
    (ContainerState.CREATED, ContainerEvent.START_FAILED): ContainerState.EXITED,
    (ContainerState.CREATED, ContainerEvent.EXITED): ContainerState.EXITED,
    (ContainerState.RUNNING, ContainerEvent.EXITED): ContainerState.EXITED,
    (ContainerState.UNKNOWN, ContainerEvent.EXITED): ContainerState.EXITED,
}


def transition(state: ContainerState, event: ContainerEvent) -> ContainerState:
    """Return the state after `event`.

    Raises:
        FailedPrecondition: the event cannot happen in this state.
    """
    following = _TRANSITIONS.get((state, event))
    if following is None:
        raise FailedPrecondition(
            "container", f"is {state}, so it cannot be {event}", reason="WrongState"
        )
    return following


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerMetadata:
    """Names a container in its pod; name and attempt together are unique there."""

    name: str
    attempt: int = 0


class MountPropagation(StrEnum):
    """CRI MountPropagation."""

    PRIVATE = "private"
    HOST_TO_CONTAINER = "host_to_container"
    BIDIRECTIONAL = "bidirectional"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A bind mount (host_path) or image volume (image) asked for."""

    container_path: str
    host_path: str = ""
    readonly: bool = False
    recursive_read_only: bool = False
    selinux_relabel: bool = False
    propagation: MountPropagation = MountPropagation.PRIVATE
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    image: str = ""
    """Image to mount instead of a host path; empty for a bind mount."""
    image_sub_path: str = ""
    mount_options: tuple[str, ...] = ()
    """`noexec`, `nodev`, `nosuid`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A host device, or directory of devices, to appear in the container."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerConfig:
    """ContainerConfig of CRI with its Linux section."""

    metadata: ContainerMetadata
    image: str
    """Image reference as requested (ImageSpec.image)."""
    user_specified_image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    envs: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    """`SIGTERM` form without CRI's enum prefix, empty when not set."""
    resources: LinuxResources = LinuxResources()
    security: ContainerSecurity = ContainerSecurity()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerUser:
    """The user a container's first process runs as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    """All groups including the primary one, sorted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerRecord:
    """A container as this node knows it; replaced as a whole on each change."""

    id: str
    """64 lower-case hex digits."""
    sandbox_id: str
    config: ContainerConfig
    image_id: str
    """`sha256:` and 64 hex."""
    state: ContainerState
    created_at_ns: int
    handler: str = ""
    started_at_ns: int = 0
    finished_at_ns: int = 0
    exit_code: int = 0
    reason: str = ""
    """`Completed`, `Error`, `OOMKilled`, `StartError`, `MonitorLost`; empty until EXITED."""
    message: str = ""
    log_path: str = ""
    """Absolute path of the log, empty for none."""
    stop_signal: str = "SIGTERM"
    """Signal that stops it: CRI's, else the image's, else SIGTERM."""
    user: ContainerUser = ContainerUser()
    resources: LinuxResources = LinuxResources()
    """As last applied."""
    cgroups_path: str = ""
    pid: int = 0
    pid_start_time: int = 0
    """Clock ticks since boot (proc_pid_stat(5)): a recycled pid is noticed by it."""
    monitor_pid: int = 0
    monitor_start_time: int = 0
