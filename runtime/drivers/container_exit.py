"""Find out how a container ended: from its monitor's exit file, or without one when the monitor died first.

   exit file                                -> its code, its time
   monitor gone, no file, first process lives -> short grace, SIGKILL, then as the next line
   monitor gone, no file, process gone      -> wait status of the adopted process, else what its pidfd tells, else 255
   process gone, monitor lives, no file     -> the monitor is stuck (an attach client that does not read): SIGKILL it

Whether the kernel killed for want of memory is read before anything is published, because the counter goes with the
cgroup when the container is deleted.
"""

import asyncio
import logging
import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.drivers.driver import ExitStatus
from runtime.drivers.exit_files import ExitFiles, ExitRecord
from runtime.drivers.failure_causes import late_failure
from runtime.drivers.monitor import OOM_FILE, RUNTIME_LOG
from runtime.drivers.process_watch import ProcessWatch
from runtime.drivers.program import exit_code_of
from runtime.drivers.reaper import Reaper
from runtime.formats.runtime_log import first_error

STUCK_MONITOR_SECONDS = 10.0
"""From the end of the first process to its exit file: 1.3 ms measured; a full log disk may take seconds."""
_ADOPTION_SECONDS = 0.5
"""The kernel reparents and signals at once; the rest is for a busy event loop."""
_DEATH_SECONDS = 10.0
"""After SIGKILL: a process in state D ends when its I/O does, or never."""
UNKNOWN_EXIT_CODE = 255
"""As containerd and CRI-O report an exit that nobody saw."""

_ONE_LINE_BYTES = 4096

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class ExitSources:
    """Everything that may know how one container ended."""

    id: str
    bundle: Path
    init: ProcessWatch | None
    monitor: ProcessWatch | None
    exit_files: ExitFiles
    reaper: Reaper
    oom_kills: Callable[[], int]
    """Reads the kernel's counter; -1 when the cgroup is gone."""
    kill: Callable[[], None]
    """SIGKILL the first process and what else is in the cgroup."""
    lost_grace_seconds: float
    log_path: str = ""
    """The container's log; empty for none."""
    since: float
    """Reaper mark taken before the container existed."""


async def wait_for_exit(sources: ExitSources) -> ExitStatus:
    """Wait until the container has ended and return how. Has no limit: a container may run for years."""
    record = await _wait_for_record(sources)
    if record is not None:
        return _status(sources, record.exit_code, record.written_at_ns, monitor_lost=False)
    code = await _code_without_record(sources)
    return _status(sources, code, time.time_ns(), monitor_lost=True)


async def _wait_for_record(sources: ExitSources) -> ExitRecord | None:
    """Return the exit record, None when there will be none."""
    expected = sources.exit_files.expect(sources.id)
    try:
        watched = {expected}
        watched.update(p.ended for p in (sources.monitor, sources.init) if p is not None)
        if sources.monitor is not None:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if not expected.done() and not sources.monitor.has_ended():
                await _wait_for_monitor(sources, expected, sources.monitor)
        # The monitor writes its file before it ends, but the event may still lie unread in the queue.
        return sources.exit_files.read(sources.id)
    finally:
        sources.exit_files.abandon(sources.id, expected)


async def _wait_for_monitor(
    sources: ExitSources, expected: "asyncio.Future[None]", monitor: ProcessWatch
) -> None:
    """The first process has ended: give its monitor time to write the file, then end it."""
    await asyncio.wait(
        {expected, monitor.ended},
        timeout=STUCK_MONITOR_SECONDS,
        return_when=asyncio.FIRST_COMPLETED,
    )
    if expected.done() or monitor.has_ended():
        return
    _log.warning("monitor %d of %s wrote no exit file and is killed", monitor.pid, sources.id)
    monitor.signal(signal.SIGKILL)
    await asyncio.wait({monitor.ended}, timeout=_DEATH_SECONDS)


async def _code_without_record(sources: ExitSources) -> int:
    init = sources.init
    if init is None:
        return UNKNOWN_EXIT_CODE
    if not init.has_ended():
        _log.warning(
            "the monitor of %s died; the container is killed, for its log is cut", sources.id
        )
        # Its output goes to a broken pipe: many programs end by SIGPIPE now, and their code is worth having.
        await asyncio.wait({init.ended}, timeout=sources.lost_grace_seconds)
        sources.kill()
        await asyncio.wait({init.ended}, timeout=_DEATH_SECONDS)
    adopted = sources.reaper.expect(init.pid, since=sources.since)
    await asyncio.wait({adopted}, timeout=_ADOPTION_SECONDS)
    if adopted.done() and not adopted.cancelled():
        return exit_code_of(adopted.result())
    sources.reaper.abandon(init.pid)
    status = init.exit_status()
    return UNKNOWN_EXIT_CODE if status is None else exit_code_of(status)


def _status(sources: ExitSources, code: int, ended_ns: int, *, monitor_lost: bool) -> ExitStatus:
    return ExitStatus(
        exit_code=code,
        finished_at_ns=ended_ns,
        oom_killed=_was_oom_killed(sources),
        monitor_lost=monitor_lost,
        message=_cause(sources) if code != 0 else "",
    )


def _was_oom_killed(sources: ExitSources) -> bool:
    # On v2 conmon's file also appears for `oom` without a kill, so the counter decides where it can be read.
    kills = sources.oom_kills()
    return kills > 0 if kills >= 0 else (sources.bundle / OOM_FILE).exists()


def _cause(sources: ExitSources) -> str:
    """Return why the program could not be executed at all, empty when it could."""
    try:
        said = first_error((sources.bundle / RUNTIME_LOG).read_text(errors="replace"))
    except OSError:
        said = ""
    return said or late_failure(_whole_log(sources.log_path))


def _whole_log(path: str) -> str:
    """Return a small log; nothing of one that is large, missing or no plain file (security rule F1)."""
    if not path:
        return ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _ONE_LINE_BYTES:
            return ""
        return file.read(_ONE_LINE_BYTES).decode(errors="replace")
