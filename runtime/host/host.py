"""What lifecycle code asks of the kernel, as one Protocol.

`linux_host.LinuxHost` implements it on the real kernel; the fake of the unit tests implements it in memory, and one
contract suite runs against both. Every method is idempotent where its name says remove, unmount or destroy: what is
already gone is success. Paths given by pods are only touched through `foreign_paths` with a deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.records.resources import CgroupUsage, WritableLayerUsage


@dataclass(frozen=True, kw_only=True, slots=True)
class PodNamespaces:
    """Which namespaces a pod gets of its own, and what is set inside them while they are made."""

    directory: Path
    """Where the pins are made: `net`, `ipc`, `uts` (bind mounts of nsfs)."""
    network: bool
    ipc: bool
    uts: bool
    hostname: str = ""
    """Set inside the UTS namespace."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Checked names (dots or slashes) and values, written from inside the new namespaces, one write per key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseRequest:
    """A process that holds a PID namespace for a pod."""

    program: Path
    namespaces: Path
    """Directory of the pod's pins; `net`, `ipc`, `uts` are joined where they exist, and `pid` is pinned there."""
    cgroup: str
    """cgroup path below each hierarchy's root, empty to stay in the daemon's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    start_time: int
    """Clock ticks since boot (proc_pid_stat(5), field 22)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OverlayMount:
    """The root filesystem of a container."""

    target: Path
    lower: tuple[Path, ...]
    """Layer directories, topmost first."""
    upper: Path
    work: Path
    readonly: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedSource:
    """A host path of a bind mount after its symbolic links were followed."""

    path: str
    is_directory: bool
    created: bool = False
    """True when it was missing and was made as a directory 0755."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceNode:
    """A device node found on the host."""

    path: str
    kind: str
    """`c` or `b`."""
    major: int
    minor: int
    mode: int
    uid: int
    gid: int


class Host(Protocol):
    """The kernel of this node as lifecycle code sees it. Raises errors of `runtime.errors` alone."""

    async def create_namespaces(self, wanted: PodNamespaces) -> None:
        """Make and pin the namespaces, loopback up, hostname and sysctls set. Undoes itself on failure."""

    async def destroy_namespaces(self, directory: Path) -> None:
        """Unpin everything below `directory` and remove it."""

    async def start_pause(self, request: PauseRequest) -> ProcessIdentity:
        """Start the pause process in a new PID namespace and pin that as `pid`; returns once it is running."""

    async def make_pod_files(
        self, directory: Path, files: Sequence[tuple[str, str]], shm_bytes: int
    ) -> None:
        """Mount a small sized tmpfs at `directory`/files and write `files` (name, text) there.

        Another one is mounted at `directory`/shm, mode 1777, unless shm_bytes is 0.
        """

    async def destroy_pod_files(self, directory: Path) -> None:
        """Unmount and remove what make_pod_files made."""

    async def mount_overlay(self, mount: OverlayMount) -> None:
        """Make the directories that are missing and mount the overlay.

        /dev, /proc and /sys become real directories in `upper` when an image layer has links or files
        there (security rule E4).
        """

    async def unmount(self, target: Path) -> None:
        """Unmount `target` lazily if it is a mount point, as often as it is one."""

    async def remove_tree(self, directory: Path) -> None:
        """Delete a directory of ours without following links or crossing mounts."""

    async def read_below(self, root: Path, name: str, limit: int) -> bytes | None:
        """Read a regular file below a container's root without leaving it; None when there is none.

        Refuses other file kinds and more than `limit` bytes (security rules E2, J1).
        """

    async def resolve_source(
        self, path: str, *, create: bool, deadline_seconds: float
    ) -> ResolvedSource:
        """Follow links of a pod's host path in a thread of its own; Unavailable when it does not answer in time."""

    async def find_devices(self, path: str) -> tuple[DeviceNode, ...]:
        """Look up a device node, or all below a directory."""

    async def host_devices(self) -> tuple[DeviceNode, ...]:
        """All device nodes of the host's /dev, for privileged containers."""

    async def identify(self, pid: int) -> ProcessIdentity | None:
        """Start time of a process, None when there is none."""

    def is_alive(self, process: ProcessIdentity) -> bool:
        """Whether that very process still exists and is not a zombie."""

    async def signal(self, process: ProcessIdentity, number: int) -> bool:
        """Send a signal by pidfd after comparing start times; False when the process is gone."""

    async def wait_gone(self, process: ProcessIdentity, timeout_seconds: float | None) -> bool:
        """Wait by pidfd until the process has ended; False at the timeout."""

    async def kill_cgroup(self, cgroup: str) -> None:
        """SIGKILL every process in a cgroup."""

    async def remove_cgroup(self, cgroup: str) -> None:
        """Remove a cgroup, children first, from every hierarchy."""

    async def cgroup_usage(self, cgroup: str) -> CgroupUsage | None:
        """Read use and OOM kills of a cgroup (v1 or v2), None when it is gone."""

    async def layer_usage(self, directory: Path) -> WritableLayerUsage:
        """Bytes and inodes below a writable layer, counted in a thread without following links."""

    async def network_accounting(self, namespaces: Path) -> tuple[tuple[str, int, int], ...]:
        """Interface name, received bytes, sent bytes of each interface of a pinned network namespace."""

    async def switch_off_ipv6(self, namespaces: Path, interface: str) -> None:
        """Take IPv6 from one interface of a pinned network namespace (security rule I2); no such interface is fine."""

    async def unmount_below(self, directory: Path) -> None:
        """Unmount everything mounted at or below a directory of ours (recovery)."""
