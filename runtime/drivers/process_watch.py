"""Hold on to one process by pidfd: signal it, see it end, ask how it ended - never a later one of the same number.

A pidfd works for processes that are not our children, so a restarted daemon sees exits too (pidfd_open(2)). The number
is compared with its start time once, when the descriptor is opened; after that the kernel keeps the two together.
"""

import asyncio
import fcntl
import os
import signal
import struct
from pathlib import Path

from runtime.formats.proc_stat import parse_process_stat

_PIDFD_GET_INFO = 0xC040FF0B
"""_IOWR(0xFF, 11, struct pidfd_info) with its first published size of 64 bytes (linux/pidfd.h, since 6.13)."""
_PIDFD_INFO_EXIT = 1 << 3
_INFO = struct.Struct("=QQ11Ii")
"""mask, cgroup id, eleven ids, exit code (a wait status; valid when the mask keeps PIDFD_INFO_EXIT)."""


def start_time_of(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot, 0 when there is none."""
    try:
        return parse_process_stat(Path(f"/proc/{pid}/stat").read_bytes()).start_time
    except OSError:
        return 0


class ProcessWatch:
    """One process. Made by `open_process`; must be closed."""

    def __init__(self, pid: int, start_time: int, descriptor: int) -> None:
        self.pid = pid
        self.start_time = start_time
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the process has ended, whether or not somebody reaped it; cancelled by close."""
        self._loop.add_reader(descriptor, self._note_end)

    def _note_end(self) -> None:
        self._loop.remove_reader(self._descriptor)
        if not self.ended.done():
            self.ended.set_result(None)

    def has_ended(self) -> bool:
        """Whether the end was seen; looks at the kernel, not only at what the loop has heard of so far."""
        if not self.ended.done() and self._descriptor >= 0:
            try:
                signal.pidfd_send_signal(self._descriptor, 0)
            except ProcessLookupError:
                self._note_end()
        return self.ended.done()

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process is gone."""
        if self._descriptor < 0 or self.ended.done():
            return False
        try:
            signal.pidfd_send_signal(self._descriptor, number)
        except ProcessLookupError:
            return False
        return True

    def exit_status(self) -> int | None:
        """Return the wait status of a process that somebody else has reaped, None when the kernel cannot tell."""
        request = bytearray(_INFO.pack(_PIDFD_INFO_EXIT, *([0] * 13)))
        try:
            fcntl.ioctl(self._descriptor, _PIDFD_GET_INFO, request)
        except OSError:
            return None  # ENOTTY before 6.13; ESRCH once reaped before PIDFD_INFO_EXIT came (6.15)
        answer: tuple[int, ...] = _INFO.unpack(request)
        return answer[-1] if answer[0] & _PIDFD_INFO_EXIT else None

    def close(self) -> None:
        """Let go of the process; idempotent."""
        if self._descriptor < 0:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self.ended.cancel()


def open_process(pid: int, start_time: int = 0) -> ProcessWatch | None:
    """Take hold of a process; None when it has ended and was reaped, or is another one than `start_time` says."""
    if pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    # Read after opening: if the start time still fits, the descriptor is of that very process.
    found = start_time_of(pid)
    if found == 0 or (start_time and found != start_time):
        os.close(descriptor)
        return None
    return ProcessWatch(pid, found, descriptor)


def descendants_of(pid: int) -> tuple[int, ...]:
    """Return children, grandchildren and so on, deepest last (needs CONFIG_PROC_CHILDREN; else empty)."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            found.append(child)
            found.extend(descendants_of(child))
    return tuple(found)
