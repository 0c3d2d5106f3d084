"""A host in memory: every call is written down, and any step can be told to fail or to hang.

It implements `runtime.host.host.Host` and passes `e2e/contracts/host_contract.py`, as the real one does. It touches no
file and starts nothing: what the kernel would hold (mounts, pins, processes, cgroups, files) is in plain attributes
that tests may read and set.
"""

import asyncio
import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath

from runtime.errors import InvalidArgument, NotFound, PodRuntimeError, Unavailable
from runtime.host.host import (
    DeviceNode,
    OverlayMount,
    PauseRequest,
    PodNamespaces,
    ProcessIdentity,
    ResolvedSource,
)
from runtime.records.resources import CgroupUsage, WritableLayerUsage


@dataclass(slots=True)
class FakeProcess:
    """One process of the fake kernel."""

    identity: ProcessIdentity
    cgroup: str = ""
    ignored: frozenset[int] = frozenset()
    """Signals that do not end it; SIGKILL always does."""
    received: list[int] = field(default_factory=list)
    """Signals so far, in order."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Hang:
    """A step that waits: `entered` is set when it was reached, `release` lets it go on."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class FakeHost:
    """The fake; see the module docstring. Step names are the names of Host's methods."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        """(method, its subject as text) in order, written before the method does anything."""
        self.namespaces: dict[Path, PodNamespaces] = {}
        """Pinned namespaces by directory."""
        self.pinned_pids: set[Path] = set()
        """Directories that also hold a `pid` pin."""
        self.pod_files: dict[Path, tuple[dict[str, str], int]] = {}
        """directory -> (files, shm bytes)."""
        self.overlays: dict[Path, OverlayMount] = {}
        self.mounts: set[Path] = set()
        """Every mount point: overlays, pod files and what tests add."""
        self.removed_trees: list[Path] = []
        self.files: dict[Path, bytes] = {}
        """Regular files for read_below, by root/name."""
        self.sources: dict[str, ResolvedSource] = {}
        """Host paths that exist; an absent one is made when `create` is asked for."""
        self.device_nodes: dict[str, DeviceNode] = {}
        self.processes: dict[int, FakeProcess] = {}
        self.usage: dict[str, CgroupUsage] = {}
        """Readings by cgroup."""
        self.removed_cgroups: list[str] = []
        self.layers: dict[Path, WritableLayerUsage] = {}
        self.traffic: dict[Path, tuple[tuple[str, int, int], ...]] = {}
        self._failures: dict[str, list[PodRuntimeError]] = {}
        self._hangs: dict[str, Hang] = {}
        self._pids = count(1000)

    # --- what tests tell it

    def fail(self, step: str, error: PodRuntimeError | None = None, *, times: int = 1) -> None:
        """Let the next `times` calls of `step` raise `error` and change nothing."""
        assert hasattr(self, step), step
        chosen = error or Unavailable(step, "was told to fail", reason="Injected")
        self._failures.setdefault(step, []).extend([chosen] * times)

    def hang(self, step: str) -> Hang:
        """Let every call of `step` wait until `release` is set."""
        assert hasattr(self, step), step
        return self._hangs.setdefault(step, Hang())

    def add_process(
        self, *, cgroup: str = "", ignored: frozenset[int] = frozenset(), pid: int = 0
    ) -> ProcessIdentity:
        """Let a process exist; a pid that was used before gets another start time."""
        number = pid or next(self._pids)
        earlier = self.processes.get(number)
        start = 1 if earlier is None else earlier.identity.start_time + 1
        identity = ProcessIdentity(pid=number, start_time=start)
        self.processes[number] = FakeProcess(identity, cgroup=cgroup, ignored=ignored)
        return identity

    def end_process(self, pid: int) -> None:
        """Let a process end."""
        self.processes[pid].ended.set()

    def called(self, step: str) -> list[str]:
        """Return the subjects of the calls of one method, in order."""
        return [subject for name, subject in self.calls if name == step]

    # --- Host: namespaces and pod files

    async def create_namespaces(self, wanted: PodNamespaces) -> None:
        """See Host."""
        await self._enter("create_namespaces", wanted.directory)
        self.namespaces[wanted.directory] = wanted

    async def destroy_namespaces(self, directory: Path) -> None:
        """See Host."""
        await self._enter("destroy_namespaces", directory)
        self.namespaces.pop(directory, None)
        self.pinned_pids.discard(directory)

    async def start_pause(self, request: PauseRequest) -> ProcessIdentity:
        """See Host."""
        await self._enter("start_pause", request.namespaces)
        self.pinned_pids.add(request.namespaces)
        return self.add_process(cgroup=request.cgroup)

    async def make_pod_files(
        self, directory: Path, files: Sequence[tuple[str, str]], shm_bytes: int
    ) -> None:
        """See Host."""
        await self._enter("make_pod_files", directory)
        for name, _ in files:
            if name in ("", ".", "..") or "/" in name:
                raise InvalidArgument(f"pod file {name}", "is not a plain name", reason="BadName")
        self.pod_files[directory] = (dict(files), shm_bytes)
        self.mounts.add(directory / "files")
        if shm_bytes:
            self.mounts.add(directory / "shm")

    async def destroy_pod_files(self, directory: Path) -> None:
        """See Host."""
        await self._enter("destroy_pod_files", directory)
        self.pod_files.pop(directory, None)
        self.mounts -= {directory / "files", directory / "shm"}

    # --- Host: mounts and files

    async def mount_overlay(self, mount: OverlayMount) -> None:
        """See Host."""
        await self._enter("mount_overlay", mount.target)
        if not mount.lower:
            raise InvalidArgument(
                f"overlay {mount.target}", "has no lower layer", reason="NoLayers"
            )
        self.overlays[mount.target] = mount
        self.mounts.add(mount.target)

    async def unmount(self, target: Path) -> None:
        """See Host."""
        await self._enter("unmount", target)
        self.mounts.discard(target)
        self.overlays.pop(target, None)

    async def unmount_below(self, directory: Path) -> None:
        """See Host."""
        await self._enter("unmount_below", directory)
        for target in [path for path in self.mounts if path.is_relative_to(directory)]:
            self.mounts.discard(target)
            self.overlays.pop(target, None)
        for pinned in [path for path in self.namespaces if path.is_relative_to(directory)]:
            del self.namespaces[pinned]

    async def remove_tree(self, directory: Path) -> None:
        """See Host."""
        await self._enter("remove_tree", directory)
        self.removed_trees.append(directory)
        for path in [path for path in self.files if path.is_relative_to(directory)]:
            del self.files[path]

    async def read_below(self, root: Path, name: str, limit: int) -> bytes | None:
        """See Host."""
        await self._enter("read_below", f"{root}:{name}")
        content = self.files.get(root / name.lstrip("/"))
        if content is not None and len(content) > limit:
            raise InvalidArgument(
                f"file {name}", f"is larger than {limit} bytes", reason="FileTooLarge"
            )
        return content

    async def resolve_source(
        self, path: str, *, create: bool, deadline_seconds: float
    ) -> ResolvedSource:
        """See Host."""
        await self._enter("resolve_source", path)
        found = self.sources.get(path)
        if found is not None:
            return found
        if not create:
            raise NotFound(f"host path {path}", "does not exist", reason="HostPathMissing")
        self.sources[path] = ResolvedSource(path=path, is_directory=True)
        return ResolvedSource(path=path, is_directory=True, created=True)

    async def find_devices(self, path: str) -> tuple[DeviceNode, ...]:
        """See Host."""
        await self._enter("find_devices", path)
        found = tuple(
            node
            for name, node in sorted(self.device_nodes.items())
            if PurePosixPath(name).is_relative_to(path)
        )
        if not found:
            raise NotFound(f"device {path}", "does not exist", reason="DeviceMissing")
        return found

    async def host_devices(self) -> tuple[DeviceNode, ...]:
        """See Host."""
        await self._enter("host_devices", "/dev")
        return tuple(node for _, node in sorted(self.device_nodes.items()))

    # --- Host: processes

    async def identify(self, pid: int) -> ProcessIdentity | None:
        """See Host."""
        await self._enter("identify", pid)
        process = self.processes.get(pid)
        return process.identity if process and not process.ended.is_set() else None

    def is_alive(self, process: ProcessIdentity) -> bool:
        """See Host."""
        return self._living(process) is not None

    async def signal(self, process: ProcessIdentity, number: int) -> bool:
        """See Host."""
        await self._enter("signal", f"{process.pid}:{number}")
        living = self._living(process)
        if living is None:
            return False
        living.received.append(number)
        if number == signals.SIGKILL or (number and number not in living.ignored):
            living.ended.set()
        return True

    async def wait_gone(self, process: ProcessIdentity, timeout_seconds: float | None) -> bool:
        """See Host."""
        await self._enter("wait_gone", process.pid)
        living = self._living(process)
        if living is None:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await living.ended.wait()
        except TimeoutError:
            return False
        return True

    # --- Host: cgroups and accounting

    async def kill_cgroup(self, cgroup: str) -> None:
        """See Host."""
        await self._enter("kill_cgroup", cgroup)
        for process in self.processes.values():
            if process.cgroup and PurePosixPath(process.cgroup).is_relative_to(cgroup):
                process.received.append(signals.SIGKILL)
                process.ended.set()

    async def remove_cgroup(self, cgroup: str) -> None:
        """See Host."""
        await self._enter("remove_cgroup", cgroup)
        self.removed_cgroups.append(cgroup)
        self.usage.pop(cgroup, None)

    async def cgroup_usage(self, cgroup: str) -> CgroupUsage | None:
        """See Host."""
        await self._enter("cgroup_usage", cgroup)
        return self.usage.get(cgroup)

    async def layer_usage(self, directory: Path) -> WritableLayerUsage:
        """See Host."""
        await self._enter("layer_usage", directory)
        nothing = WritableLayerUsage(
            timestamp_ns=1, mountpoint=str(directory), used_bytes=0, inodes_used=0
        )
        return self.layers.get(directory, nothing)

    async def switch_off_ipv6(self, namespaces: Path, interface: str) -> None:
        """See Host."""
        await self._enter("switch_off_ipv6", namespaces)
        if namespaces not in self.namespaces:
            raise NotFound(f"network namespace {namespaces}", "does not exist")

    async def network_accounting(self, namespaces: Path) -> tuple[tuple[str, int, int], ...]:
        """See Host."""
        await self._enter("network_accounting", namespaces)
        if namespaces not in self.namespaces:
            raise NotFound(f"namespaces {namespaces}", "are not pinned", reason="NoNamespace")
        return self.traffic.get(namespaces, (("lo", 0, 0),))

    # --- inside

    async def _enter(self, step: str, subject: object) -> None:
        self.calls.append((step, str(subject)))
        hang = self._hangs.get(step)
        if hang is not None:
            hang.entered.set()
            await hang.release.wait()
        waiting = self._failures.get(step)
        if waiting:
            raise waiting.pop(0)

    def _living(self, process: ProcessIdentity) -> FakeProcess | None:
        found = self.processes.get(process.pid)
        if found is None or found.identity != process or found.ended.is_set():
            return None
        return found
