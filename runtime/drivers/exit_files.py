"""Exit files of all monitors: one directory, one inotify watch, a future for whoever waits.

conmon writes ID.XXXXXX and renames it over ID, so IN_MOVED_TO alone is watched and a file is whole when seen. The
directory is looked at again after the watch exists, and whenever somebody asks, because events that came before a
watch, or after the queue overflowed, are never told again (inotify(7)).
"""

import asyncio
import ctypes
import logging
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import Internal
from runtime.formats.monitor_messages import is_exit_file, parse_exit_code

_IN_MOVED_TO = 0x80
_IN_Q_OVERFLOW = 0x4000
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_BUFFER = 64 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitRecord:
    """What a monitor wrote when its container ended."""

    exit_code: int
    written_at_ns: int
    """Modification time of the file: when the container ended."""


class ExitFiles:
    """Watches the directory; `start` it before the first monitor."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptor = -1
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def start(self) -> None:
        """Make the directory and watch it.

        Raises:
            Internal: the kernel gives no inotify watch.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = int(libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC))
        added = -1
        if descriptor >= 0:
            path = os.fsencode(self.directory)
            added = int(libc.inotify_add_watch(descriptor, path, _IN_MOVED_TO))
        if added < 0:
            code = ctypes.get_errno()
            if descriptor >= 0:
                os.close(descriptor)
            raise Internal(
                f"exit files in {self.directory}",
                f"cannot be watched: {os.strerror(code)}",
                remedy="raise the sysctls fs.inotify.max_user_instances and max_user_watches",
                reason="InotifyFailed",
            )
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._read_events)

    def stop(self) -> None:
        """End the watch; who still waits is cancelled."""
        if self._descriptor < 0:
            return
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()
        self._waiting.clear()

    def expect(self, id: str) -> asyncio.Future[None]:
        """Return a future that is done when a container's file is there, at once if it is already."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id, []).append(future)
        self.look(id)
        return future

    def abandon(self, id: str, future: asyncio.Future[None]) -> None:
        """Stop waiting."""
        future.cancel()
        futures = self._waiting.get(id, [])
        if future in futures:
            futures.remove(future)
        if not futures:
            self._waiting.pop(id, None)

    def look(self, id: str) -> None:
        """Look for a container's file now, and tell who waits if there is one."""
        if not (self.directory / id).exists():
            return
        for future in self._waiting.pop(id, []):
            if not future.done():
                future.set_result(None)

    def read(self, id: str) -> ExitRecord | None:
        """Return the record of a container, None when there is none."""
        path = self.directory / id
        try:
            content, stat = path.read_bytes(), path.stat()
        except OSError:
            return None
        try:
            code = parse_exit_code(content)
        except ValueError:
            _log.warning("exit file %s holds %r, taken as exit code 255", path, content[:40])
            code = 255
        return ExitRecord(exit_code=code, written_at_ns=stat.st_mtime_ns)

    def remove(self, id: str) -> None:
        """Delete a container's file; idempotent."""
        (self.directory / id).unlink(missing_ok=True)

    def _read_events(self) -> None:
        try:
            events = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            _watch, mask, _cookie, length = _EVENT.unpack_from(events, at)
            start = at + _EVENT.size
            at = start + length
            name = os.fsdecode(events[start:at].rstrip(b"\0"))
            if mask & _IN_Q_OVERFLOW:
                for waiting in tuple(self._waiting):
                    self.look(waiting)
            elif is_exit_file(name):
                self.look(name)
