"""Collect every child of the daemon, its own and adopted ones, as soon as it ends.

The daemon is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): monitors that were daemonised and processes that a
runtime started with `exec --detach` become its children. A zombie among the latter keeps its container from ending
(`zap_pid_ns_processes` in the kernel waits for all of a PID namespace), so nothing may stay unreaped: SIGCHLD runs
`waitpid(-1, WNOHANG)` until it says there is no more.

Never waits for a child elsewhere: a second waiter would steal statuses (Popen.wait then answers 0 for a failed child).
"""

import asyncio
import ctypes
import errno
import logging
import os
import signal
import time
from collections import OrderedDict

from runtime.errors import Internal

_PR_SET_CHILD_SUBREAPER = 36
_UNCLAIMED_LIMIT = 4096
"""Early results kept; far more than children that can end between a spawn and its claim."""

_log = logging.getLogger(__name__)


def become_subreaper() -> None:
    """Make this process the parent of orphaned descendants.

    Raises:
        Internal: the kernel refused.
    """
    _set_subreaper(on=True)


def _set_subreaper(*, on: bool) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise Internal("child reaper", f"cannot become subreaper: {os.strerror(code)}")


class Reaper:
    """The one place that calls waitpid. Use from the event loop's thread only, `mark` excepted."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._unclaimed: OrderedDict[int, tuple[float, int]] = OrderedDict()
        self._reaped = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Adopt orphans and listen for SIGCHLD; must run in the main thread."""
        become_subreaper()
        self._loop = loop
        loop.add_signal_handler(signal.SIGCHLD, self.reap)
        self.reap()  # a child may have ended before the handler was there

    def stop(self) -> None:
        """Stop listening, adopt no more orphans, which would stay zombies, and cancel what still waits."""
        if self._loop is None:
            return
        _set_subreaper(on=False)
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self._loop = None
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
        self._unclaimed.clear()

    def mark(self) -> float:
        """Return a point in time to be taken before a spawn and handed to `expect`."""
        return time.monotonic()

    def expect(self, pid: int, *, since: float = 0.0) -> asyncio.Future[int]:
        """Return the future wait status of a child (decode it with os.waitstatus_to_exitcode).

        `since` is the mark taken before the child was started: an older unclaimed result of the same number belongs to
        a process that is long gone. One future per child; asking again returns the same one.

        Raises:
            Internal: the reaper does not run.
        """
        if self._loop is None:
            raise Internal("child reaper", f"does not run, so process {pid} cannot be awaited")
        waiting = self._waiting.get(pid)
        if waiting is not None:
            return waiting
        future: asyncio.Future[int] = self._loop.create_future()
        early = self._unclaimed.pop(pid, None)
        if early is not None and early[0] >= since:
            future.set_result(early[1])
        else:
            self._waiting[pid] = future
        return future

    def abandon(self, pid: int) -> None:
        """Stop expecting a process that turned out not to be a child; its future is cancelled."""
        future = self._waiting.pop(pid, None)
        if future is not None:
            future.cancel()

    def reap(self) -> None:
        """Collect all children that have ended; called by SIGCHLD, safe to call at any time."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno != errno.ECHILD:
                    raise
                return
            if pid == 0:
                return
            self._reaped += 1
            self._deliver(pid, status)

    def _deliver(self, pid: int, status: int) -> None:
        future = self._waiting.pop(pid, None)
        if future is None:
            self._unclaimed.pop(pid, None)
            self._unclaimed[pid] = (time.monotonic(), status)
            if len(self._unclaimed) > _UNCLAIMED_LIMIT:
                self._unclaimed.popitem(last=False)
        elif not future.done():
            future.set_result(status)
        _log.debug("reaped process %d with status %#x", pid, status)

    def statistics(self) -> dict[str, int]:
        """Return how many children are awaited, unclaimed and were reaped."""
        return {
            "awaited": len(self._waiting),
            "unclaimed": len(self._unclaimed),
            "reaped": self._reaped,
        }
