"""One cgroup for all pull workers: a limit of memory, and little weight beside containers for CPU and disk.

Promise: workers never take memory from containers beyond the limit, and get what CPU and disk leave over; whatever a
hierarchy lacks is logged once and left out. Joined as monitors join theirs (`MonitorCgroup`), removed at the end. Knows
nothing of what a worker does.
"""

import logging
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress

from runtime.drivers.monitor_cgroup import MonitorCgroup
from runtime.host import cgroups
from runtime.host.cgroup_layout import CgroupLayout

_log = logging.getLogger(__name__)

CPU_SHARES, CPU_WEIGHT = 128, 12
"""An eighth of the usual 1024 and 100: with a busy container beside it, a pull still gets a tenth of one CPU."""
IO_WEIGHT = 20
"""A fifth of the usual 100; not the least, or a pull beside a busy disk would reach its time limits."""

_MEMORY = {1: "memory.limit_in_bytes", 2: "memory.max"}
_WEIGHTS = {
    1: (
        ("cpu", "cpu.shares", str(CPU_SHARES)),
        ("blkio", "blkio.bfq.weight", str(IO_WEIGHT)),
    ),
    2: (
        ("cpu", "cpu.weight", str(CPU_WEIGHT)),
        ("io", "io.bfq.weight", f"default {IO_WEIGHT}"),
        ("io", "io.weight", f"default {IO_WEIGHT}"),
    ),
}
_KILL_ROUNDS = 5
_END_SECONDS = 5.0


class WorkerCgroup:
    """The cgroup of one daemon's workers; an empty `path` leaves them in the daemon's."""

    def __init__(
        self,
        path: str,
        layout: CgroupLayout,
        hierarchies: Mapping[str, str],
        *,
        memory_bytes: int = 0,
    ) -> None:
        """Take the place and the limit, 0 for none; nothing is made yet."""
        self._path = path
        self._layout = layout
        self._memory_bytes = memory_bytes
        self._members = MonitorCgroup(path, hierarchies, members="pull workers")

    def start(self) -> None:
        """Make the cgroup with its limits; what a killed daemon left in it is ended."""
        self._members.start()
        if not self._path:
            return
        for _ in range(_KILL_ROUNDS):
            if not cgroups.kill_all(self._layout, self._path):
                break
        if self._layout.version == 2:
            self._pass_controllers_on()
        name = _MEMORY[self._layout.version]
        limit = str(self._memory_bytes) if self._memory_bytes else "max"
        if self._layout.version == 1 and not self._memory_bytes:
            limit = "-1"
        if not self._write("memory", name, limit) and self._memory_bytes:
            _log.warning("pull workers have no limit of memory: this host has no %s", name)
        for controller, name, weight in _WEIGHTS[self._layout.version]:
            self._write(
                controller, name, weight
            )  # which ones there are depends on the disk's scheduler

    def stop(self) -> None:
        """End what still runs in the cgroup, and remove it."""
        # A worker that was killed a moment ago first gives its memory back, which takes long on a busy node.
        if self._path and not cgroups.end_members(self._layout, self._path, seconds=_END_SECONDS):
            _log.warning("pull workers do not end; their cgroup %s stays", self._path)
        self._members.stop()

    async def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Start a program in the cgroup, as `MonitorCgroup.spawn`."""
        return await self._members.spawn(start)

    def adopt(self, pid: int) -> None:
        """Move a program here that `spawn` could not start here (cgroup v2)."""
        self._members.adopt(pid)

    def memory_kills(self) -> int:
        """Return how many workers the kernel has killed here for want of memory."""
        return (cgroups.read_oom_kills(self._layout, self._path) or 0) if self._path else 0

    def _pass_controllers_on(self) -> None:
        place = self._layout.directory("", self._path)
        if place is None:
            return
        for controller in ("memory", "cpu", "io"):
            with suppress(OSError):
                (place.parent / "cgroup.subtree_control").write_text(f"+{controller}")

    def _write(self, controller: str, name: str, value: str) -> bool:
        place = self._layout.directory(controller, self._path)
        if place is None:
            return False
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
        if not (place / name).exists():
            return False
        try:
            (place / name).write_text(value)
        except OSError as error:
            _log.warning("pull workers: %s cannot be set in %s: %s", value, place / name, error)
            return False
        return True


def worker_cgroup_name(monitors: str) -> str:
    """Return the name of the workers' cgroup beside that of the monitors of the same instance."""
    return monitors.replace("monitors", "workers", 1)
