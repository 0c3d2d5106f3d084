"""End every monitor process of a container that is to be undone, also one whose pid nobody has told.

conmon's first process writes the pid file of the second just before it ends. Killed in between, it leaves a second one
that has called setsid already, is in no process group of ours and would go on to create the container. As the daemon
is a child subreaper that process becomes its child, and its command line names the container: so children are
searched until none is left. Its runtime dies with it, but a moment later, and may write the container's state in
that moment: so runtimes that create this container are waited for alike.
"""

import asyncio
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from runtime.drivers.monitor import MONITOR_PID_FILE
from runtime.drivers.process_watch import open_process

DEATH_SECONDS = 5.0
"""A killed monitor is gone in 1 ms unless it hangs in a write to a dead disk."""
_ROUNDS = 5
"""A monitor has two generations of processes; the rest is for what starts meanwhile."""


async def end_monitors_of(id: str, bundle: Path) -> None:
    """SIGKILL the container's monitors and wait for their end; runtimes that they run die with them (PDEATHSIG)."""
    for _ in range(_ROUNDS):
        found = {pid for pid in (*_told_by(bundle), *_children()) if _is_of(pid, id)}
        if not found:
            return
        for pid in found:
            await _end(pid)


async def _end(pid: int) -> None:
    watch = open_process(pid)
    if watch is None:
        return
    try:
        watch.signal(signal.SIGKILL)
        await asyncio.wait({watch.ended}, timeout=DEATH_SECONDS)
    finally:
        watch.close()


def _told_by(bundle: Path) -> Iterator[int]:
    text = _read(bundle / MONITOR_PID_FILE).strip()
    if text.isdigit():
        yield int(text)


def _children() -> Iterator[int]:
    for path in Path("/proc/self/task").glob("*/children"):
        yield from (int(word) for word in _read(path).split())


def _is_of(pid: int, id: str) -> bool:
    """Whether a process makes this container: its monitor, or a runtime that the monitor's death did not reach yet.

    Their command lines tell (a zombie has none, and does nothing any more).
    """
    words = _read(Path(f"/proc/{pid}/cmdline")).split("\0")
    return ("-c", id) in pairwise(words) or ("create" in words and id in words)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
