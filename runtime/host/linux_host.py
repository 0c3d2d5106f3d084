"""The Host on the real kernel: each method hands over to one file per family of system calls.

What may block for longer than about 0.2 ms runs in a thread: the shared pool for our own files, a thread of its own for
namespaces and for paths of pods. /proc reads are made directly. A cancelled call ends when its thread has, so that an
undo never races with it. Errors of the kernel leave here as errors of ours.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from runtime.errors import FailedPrecondition, NotFound
from runtime.formats.proc_stat import parse_net_dev
from runtime.host import (
    cgroup_layout,
    cgroups,
    container_root,
    devices,
    disk_usage,
    log_directory,
    mounts,
    namespaces,
    overlay,
    pause_process,
    pod_files,
    processes,
    system_facts,
    trees,
)
from runtime.host.foreign_paths import ForeignPaths
from runtime.host.host import (
    DeviceNode,
    OverlayMount,
    PauseRequest,
    PodNamespaces,
    ProcessIdentity,
    ResolvedSource,
)
from runtime.host.launcher import Launcher
from runtime.host.own_thread import finish_in_own_thread, finish_in_pool, run_in_own_thread
from runtime.host.sysctls import write_if_present
from runtime.host.system_call import told_as
from runtime.records.resources import CgroupUsage, WritableLayerUsage
from runtime.spec.request import HostFacts

_EMPTYING_SECONDS = 5.0
"""How long a killed cgroup may take to become empty: processes in uninterruptible waits die late."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.05
_NET_DEV_LIMIT = 1 << 20

T = TypeVar("T")


class LinuxHost:
    """See the module docstring. Safe to use from many tasks of one event loop."""

    def __init__(self, launcher: Launcher, *, foreign_paths: ForeignPaths | None = None) -> None:
        self._launcher = launcher
        self._foreign_paths = foreign_paths or ForeignPaths()
        self.layout = cgroup_layout.read_layout(mounts.list_mounts())
        """The cgroup hierarchies of this host."""

    async def facts(self) -> HostFacts:
        """Find out what this host allows; once, at start."""
        return await system_facts.gather_facts(self._launcher, self.layout)

    # --- namespaces and pod files

    async def create_namespaces(self, wanted: PodNamespaces) -> None:
        """See Host."""
        await finish_in_own_thread(lambda: namespaces.make_namespaces(wanted), name="namespaces")

    async def destroy_namespaces(self, directory: Path) -> None:
        """See Host. A pinned PID namespace is ended first, so that no process is left without a name."""

        def destroy() -> None:
            """End the pause process and unpin; blocking."""
            pause_process.end_pid_namespace(directory / "pid")
            namespaces.remove_pins(directory)

        await _in_pool(f"namespaces {directory}", destroy)

    async def start_pause(self, request: PauseRequest) -> ProcessIdentity:
        """See Host."""
        files = await _in_pool(
            f"cgroup {request.cgroup}",
            lambda: pause_process.cgroup_files(self.layout, request.cgroup),
        )
        return await pause_process.start_pause(self._launcher, request, files)

    async def make_pod_files(
        self, directory: Path, files: Sequence[tuple[str, str]], shm_bytes: int
    ) -> None:
        """See Host."""
        await _in_pool(
            f"pod files {directory}", lambda: pod_files.make_pod_files(directory, files, shm_bytes)
        )

    async def destroy_pod_files(self, directory: Path) -> None:
        """See Host."""
        await _in_pool(f"pod files {directory}", lambda: pod_files.destroy_pod_files(directory))

    # --- mounts and files

    async def mount_overlay(self, mount: OverlayMount) -> None:
        """See Host."""
        await _in_pool(f"root filesystem {mount.target}", lambda: overlay.mount_overlay(mount))

    async def unmount(self, target: Path) -> None:
        """See Host."""
        await _in_pool(f"unmount {target}", lambda: mounts.unmount_all(target))

    async def unmount_below(self, directory: Path) -> None:
        """See Host."""
        await _in_pool(f"unmount below {directory}", lambda: mounts.unmount_tree(directory))

    async def remove_tree(self, directory: Path) -> None:
        """See Host."""
        await _in_pool(f"remove {directory}", lambda: trees.remove_tree(directory))

    async def read_below(self, root: Path, name: str, limit: int) -> bytes | None:
        """See Host."""
        return await _in_pool(
            f"file {name[:200]} below {root}", lambda: container_root.read_below(root, name, limit)
        )

    async def resolve_source(
        self, path: str, *, create: bool, deadline_seconds: float
    ) -> ResolvedSource:
        """See Host."""
        return await self._foreign_paths.resolve(
            path, create=create, deadline_seconds=deadline_seconds
        )

    async def open_log_directory(
        self, directory: str, log_path: str
    ) -> log_directory.OpenedLogDirectory:
        """Open the directory of a container's log (rule F1); the caller closes the descriptor."""
        return await _in_pool(
            f"log {log_path[:200]} in {directory}",
            lambda: log_directory.open_log_directory(directory, log_path),
        )

    async def find_devices(self, path: str) -> tuple[DeviceNode, ...]:
        """See Host."""
        return await _in_pool(f"device {path}", lambda: devices.find_devices(path))

    async def host_devices(self) -> tuple[DeviceNode, ...]:
        """See Host."""
        return await _in_pool("devices of the host", devices.host_devices)

    # --- processes

    async def identify(self, pid: int) -> ProcessIdentity | None:
        """See Host."""
        return processes.identify(pid)

    def is_alive(self, process: ProcessIdentity) -> bool:
        """See Host."""
        return processes.is_alive(process)

    async def signal(self, process: ProcessIdentity, number: int) -> bool:
        """See Host."""
        with told_as(f"signal {number} to process {process.pid}"):
            return processes.send_signal(process, number)

    async def wait_gone(self, process: ProcessIdentity, timeout_seconds: float | None) -> bool:
        """See Host."""
        with told_as(f"wait for process {process.pid}"):
            return await processes.wait_gone(process, timeout_seconds)

    # --- cgroups and accounting

    async def kill_cgroup(self, cgroup: str) -> None:
        """See Host. Returns when the cgroup is empty.

        Raises:
            FailedPrecondition: processes in it do not die.
        """

        def kill() -> bool:
            """Kill all in it once; tell whether it is empty."""
            return cgroups.kill_all(self.layout, cgroup) == 0

        await _until(f"kill cgroup {cgroup}", "processes in it do not end", kill)

    async def remove_cgroup(self, cgroup: str) -> None:
        """See Host.

        Raises:
            FailedPrecondition: there are still processes in it.
        """

        def remove() -> bool:
            """Remove it once; tell whether it is gone."""
            return cgroups.remove(self.layout, cgroup)

        await _until(f"remove cgroup {cgroup}", "there are processes in it", remove)

    async def cgroup_usage(self, cgroup: str) -> CgroupUsage | None:
        """See Host."""
        return await _in_pool(f"cgroup {cgroup}", lambda: cgroups.read_usage(self.layout, cgroup))

    async def oom_kills(self, cgroup: str) -> int | None:
        """Read how often the kernel killed in a cgroup for want of memory, None when it is gone; one small file."""
        return cgroups.read_oom_kills(self.layout, cgroup)

    async def layer_usage(self, directory: Path) -> WritableLayerUsage:
        """See Host."""

        def count() -> WritableLayerUsage:
            """Count; blocking."""
            used, inodes = disk_usage.count_usage(directory)
            return WritableLayerUsage(
                timestamp_ns=time.time_ns(),
                mountpoint=disk_usage.mount_point_of(directory),
                used_bytes=used,
                inodes_used=inodes,
            )

        return await _in_pool(f"writable layer {directory}", count)

    async def network_accounting(self, namespaces: Path) -> tuple[tuple[str, int, int], ...]:
        """See Host."""
        text = await self.run_in_network(namespaces / "net", _read_net_dev)
        return parse_net_dev(text)

    async def switch_off_ipv6(self, namespaces: Path, interface: str) -> None:
        """See Host."""
        name = f"net/ipv6/conf/{interface}/disable_ipv6"
        await self.run_in_network(namespaces / "net", lambda: write_if_present(name, "1"))

    async def run_in_network(self, pin: Path, work: Callable[[], T]) -> T:
        """Do something short in a pinned network namespace, in a thread that ends afterwards.

        Raises:
            NotFound: there is no such namespace.
        """

        def enter() -> T:
            """Do the work inside the namespace."""
            with told_as(f"network namespace {pin}"):
                return namespaces.inside(pin, work)

        try:
            return await run_in_own_thread(enter, name="in-network")
        except FileNotFoundError as error:
            raise NotFound(f"network namespace {pin}", "does not exist") from error


def _read_net_dev() -> bytes:
    # thread-self, not self: the main thread stays in the host's namespace.
    with open("/proc/thread-self/net/dev", "rb") as file:
        return file.read(_NET_DEV_LIMIT)


async def _in_pool(subject: str, work: Callable[[], T]) -> T:
    with told_as(subject):
        return await finish_in_pool(work)


async def _until(subject: str, problem: str, attempt: Callable[[], bool]) -> None:
    # Signals are taken and zombies collected by others; nothing tells when, on v1 at least.
    deadline = time.monotonic() + _EMPTYING_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while not await _in_pool(subject, attempt):
        if time.monotonic() > deadline:
            raise FailedPrecondition(
                subject, f"{problem} after {_EMPTYING_SECONDS:g} s", reason="CgroupBusy"
            )
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
