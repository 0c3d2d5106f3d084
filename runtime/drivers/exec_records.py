"""What one exec has in the bundle while it runs, and the end of those that an earlier daemon has left there.

A command whose caller waits for its output must not outlive the daemon that collects it. So its pid file stays until
it is reaped, with the start time of the process behind the pid; the next daemon kills exactly these processes when it
takes the container up. Of a launch that was cut short the runtime is waited for, since killed midway it leaves a process that no file names.
Never touches a process whose start time, or cgroup while that is not known yet, is another than it should be.
"""

import asyncio
import itertools
import logging
import os
import signal
import time
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime.drivers.container_files import cgroup_of
from runtime.drivers.process_watch import (
    ProcessWatch,
    descendants_of,
    open_process,
    start_time_of,
)

FINISH_SECONDS = 5.0
"""How long the runtime of a launch that was cut short may still take: it needs 7 ms, on a crowded machine a second."""
_FIRST = time.monotonic_ns()
_numbers = itertools.count(1)
_log = logging.getLogger(__name__)


def _fresh_name() -> str:
    # Another daemon's names must differ: a runtime that it had started may write its pid file at any time.
    return f"exec-{_FIRST:x}-{next(_numbers)}"


@dataclass(slots=True)
class ExecFiles:
    """Small files of one exec in the bundle (tmpfs)."""

    bundle: Path
    name: str = field(default_factory=_fresh_name)

    def path(self, kind: str) -> Path:
        """Return the file of a kind: `json` for the process document, `pid`, `log`."""
        return self.bundle / f"{self.name}.{kind}"

    def read_pid(self) -> int:
        """Return the pid that the runtime has written, 0 while there is none."""
        words = _read(self.path("pid")).split()
        return int(words[0]) if words and words[0].isdigit() else 0

    def keep(self, pid: int) -> None:
        """Let the pid file stay as the record of a process that runs; `remove` ends that."""
        start_time = start_time_of(pid)
        self._remove(("json", "log"))
        if not start_time:
            self._remove(("pid",))  # reaped already
            return
        with suppress(OSError), self.path("pid").open("a") as file:
            file.write(f" {start_time}")

    def remove(self) -> None:
        """Remove all of them; idempotent."""
        self._remove(("json", "pid", "log"))

    def _remove(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            with suppress(OSError):
                self.path(kind).unlink(missing_ok=True)


async def end_left_execs(bundle: Path, cgroup: str) -> int:
    """Kill what an earlier daemon's execs left running in a container, wait for their end, remove their files, return how many ran.

    `cgroup` is the container's own, empty when it is not known.
    """
    begun = sorted(bundle.glob("exec-*.json"))
    if begun:
        await _end_runtimes(begun)
    files = sorted(bundle.glob("exec-*"))
    ended = 0
    for path in files:
        if path.suffix == ".pid":
            ended += await _end_recorded(path, cgroup)
    for path in files:
        path.unlink(missing_ok=True)
    if ended:
        _log.info("ended %d commands that an earlier daemon ran in %s", ended, bundle.name)
    return ended


async def _end_runtimes(documents: Iterable[Path]) -> None:
    """Wait for each runtime that still works on one of these process documents; SIGKILL those that hang."""
    wanted = {f"--process={path}" for path in documents}
    watches = [watch for entry in Path("/proc").glob("[0-9]*") if (watch := _hold(entry, wanted))]
    if not watches:
        return
    await asyncio.wait({watch.ended for watch in watches}, timeout=FINISH_SECONDS)
    for watch in watches:
        if not watch.has_ended():
            _kill_all(watch)
        watch.close()


def _hold(directory: Path, wanted: AbstractSet[str]) -> ProcessWatch | None:
    """Take hold of a process if one of its arguments is wanted."""
    if wanted.isdisjoint(_arguments(directory)):
        return None
    watch = open_process(int(directory.name))
    # The number may have changed hands since its command line was read.
    if watch is not None and wanted.isdisjoint(_arguments(directory)):
        watch.close()
        return None
    return watch


def _arguments(directory: Path) -> list[str]:
    return _read(directory / "cmdline").split("\0")


async def _end_recorded(path: Path, cgroup: str) -> bool:
    words = _read(path).split()
    if not words or not all(word.isdigit() for word in words[:2]):
        return False
    pid = int(words[0])
    watch = open_process(pid, int(words[1]) if len(words) > 1 else 0)
    if watch is None:
        return False
    try:
        if len(words) == 1 and (not cgroup or cgroup_of(pid) != cgroup):
            return False
        _kill_all(watch)
        # Whoever asks next must not see it any more; one that waits for a processor is still there after SIGKILL.
        await asyncio.wait({watch.ended}, timeout=FINISH_SECONDS)
    finally:
        watch.close()
    return True


def _kill_all(main: ProcessWatch) -> None:
    """SIGKILL a process that is no child of ours, with its descendants and its process group."""
    for child in descendants_of(main.pid):
        watch = open_process(child)
        if watch is not None:
            if watch.start_time >= main.start_time:  # a child is never older
                watch.signal(signal.SIGKILL)
            watch.close()
    with suppress(ProcessLookupError):
        group = os.getpgid(main.pid)
        if group > 1 and group != os.getpgrp() and not main.has_ended():
            os.killpg(group, signal.SIGKILL)
    main.signal(signal.SIGKILL)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
