"""Keep all monitors of an instance in one cgroup of their own, without ever moving one.

Outside the daemon's cgroup a monitor survives the daemon's memory limit; outside the pod's it survives the pod's OOM
(security rule H3). Moving a process costs 7 to 16 ms on an idle node, because the first write to cgroup.procs after a
pause waits for an RCU grace period (cgroup_threadgroup_rwsem; measured on 6.18 with nine v1 hierarchies; moves in quick
succession cost 0.2 ms, a cgroup per monitor 0.3 ms more). So, on cgroup v1, one permanent thread of the daemon joins
the cgroup through each hierarchy's `tasks` file, and monitors are started from it: children inherit the cgroups of the
thread that forks them (cgroups(7)). That costs 0.4 ms once, then a thread hop of 0.1 ms per create.

cgroup v2 has no membership of threads across domains, so there the first process is moved before it may go on; conmon
waits for a byte on its start pipe meanwhile.
"""

import asyncio
import errno
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from runtime.formats.mountinfo import cgroup_hierarchies, parse_mountinfo

_REMOVE_ATTEMPTS = 400
_REMOVE_PAUSE_SECONDS = 0.005
"""Two seconds in all: usually one attempt or two, but a busy node may leave the daemon without a processor."""

_log = logging.getLogger(__name__)


def mounted_hierarchies() -> Mapping[str, str]:
    """Return where each cgroup controller is mounted; see formats.mountinfo."""
    return cgroup_hierarchies(parse_mountinfo(Path("/proc/self/mountinfo").read_bytes()))


class MonitorCgroup:
    """One cgroup for monitors, or for other programs; an empty `path` leaves them in the daemon's."""

    def __init__(
        self, path: str, hierarchies: Mapping[str, str], *, members: str = "monitors"
    ) -> None:
        self._members = members
        name = path.strip("/")
        v1 = sorted({mount for key, mount in hierarchies.items() if key})
        unified = hierarchies.get("")
        self._threaded = [Path(mount) / name for mount in v1] if name else []
        # In a hybrid set-up the cgroup2 mount limits nothing that concerns a monitor.
        self._moved = Path(unified) / name if name and unified and not v1 else None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def moves_processes(self) -> bool:
        """Whether a monitor must be moved by `adopt` before it may go on (cgroup v2)."""
        return self._moved is not None

    def start(self) -> None:
        """Make the cgroup and the thread that lives in it. A hierarchy that refuses is logged and left out."""
        if self._moved is not None:
            self._moved.mkdir(parents=True, exist_ok=True)
        if self._threaded:
            self._thread = ThreadPoolExecutor(1, f"{self._members}-spawner", initializer=self._join)

    def stop(self) -> None:
        """End the thread and remove the cgroup if no monitor is left in it."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        for directory in (*self._threaded, *([self._moved] if self._moved else ())):
            _remove_if_empty(directory)

    def _join(self) -> None:
        thread = str(threading.get_native_id())
        for directory in self._threaded:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                _copy_cpuset(directory)
                (directory / "tasks").write_text(thread)
            except OSError as error:
                text = "%s stay in the daemon's cgroup of %s: %s"
                _log.warning(text, self._members, directory, error)

    async def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Call `start` in the thread. A cancelled call waits for it (1 ms) and kills what it started.

        Raises:
            OSError: the program cannot be started.
        """
        if self._thread is None:
            return start()
        started = asyncio.get_running_loop().run_in_executor(self._thread, start)
        cancelled: asyncio.CancelledError | None = None
        while not started.done():
            try:
                await asyncio.wait({started})
            except asyncio.CancelledError as error:
                cancelled = error  # a process that nobody knows must not go on: see it through
        if cancelled is None:
            return started.result()
        if started.exception() is None:
            _kill(started.result())
        raise cancelled

    def adopt(self, pid: int) -> None:
        """Move a process into the cgroup where threads cannot be members."""
        if self._moved is None:
            return
        try:
            (self._moved / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            text = "process %d of the %s stays in the daemon's cgroup: %s"
            _log.warning(text, pid, self._members, error)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.returncode = -signal.SIGKILL  # the reaper collects it; ~Popen must not try
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def _remove_if_empty(directory: Path) -> None:
    # Tasks leave their cgroup a moment after join and waitpid have returned.
    for _ in range(_REMOVE_ATTEMPTS):
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or _has_processes(directory):
                return  # monitors that outlive the daemon
            time.sleep(_REMOVE_PAUSE_SECONDS)
        else:
            return


def _has_processes(directory: Path) -> bool:
    try:
        pids = (directory / "cgroup.procs").read_text().split()
    except OSError:
        return False
    return any(pid != str(os.getpid()) for pid in pids)


def _copy_cpuset(directory: Path) -> None:
    """Fill a new cpuset from its parent: one without CPUs or memory nodes takes no task (cpuset(7))."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = directory / name
        if file.exists() and not file.read_text().strip():
            parent = directory.parent / name
            if not parent.read_text().strip():
                _copy_cpuset(directory.parent)
            file.write_text(parent.read_text())
