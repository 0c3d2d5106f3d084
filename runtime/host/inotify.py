"""Watch directories for changes on the event loop (inotify(7)); no thread, no polling.

What happened is told as (directory, name, mask); when the kernel's queue overflowed it is told too, and the watcher must
look for itself. A watched directory that goes away is told as IGNORED.
"""

import asyncio
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from runtime.host.system_call import libc_call, told_as

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
OVERFLOW = 0x4000
IGNORED = 0x8000
ONLY_DIRECTORY = 0x01000000

CONTENT_CHANGED = CLOSE_WRITE | MOVED_FROM | MOVED_TO | DELETE
"""A file appeared whole, was replaced, or went away."""

_HEADER = struct.Struct("iIII")
_BLOCK = 64 * 1024
_PENDING_LIMIT = 16_384
"""Changes kept for a slow reader, like fs.inotify.max_queued_events; then they become one OVERFLOW."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event."""

    directory: Path | None
    """None for OVERFLOW."""
    name: str
    """File in the directory, empty for the directory itself."""
    mask: int


class DirectoryWatch:
    """An inotify instance, read by the running event loop. Close it, or use it as a context manager."""

    def __init__(self) -> None:
        with told_as("inotify", remedy="raise fs.inotify.max_user_instances"):
            self._descriptor = libc_call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._loop = asyncio.get_running_loop()
        self._directories: dict[int, Path] = {}
        self._pending: list[Change] = []
        self._arrived = asyncio.Event()
        self._loop.add_reader(self._descriptor, self._read)

    def add(self, directory: Path, mask: int = CONTENT_CHANGED) -> bool:
        """Watch a directory; False when there is none. Adding it again replaces the mask.

        Raises:
            PodRuntimeError: the kernel refused (too many watches).
        """
        try:
            number = libc_call(
                "inotify_add_watch", self._descriptor, os.fsencode(directory), mask | ONLY_DIRECTORY
            )
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return False
            with told_as(f"watch {directory}", remedy="raise fs.inotify.max_user_watches"):
                raise
        self._directories[number] = directory
        return True

    def is_watched(self, directory: Path) -> bool:
        """Tell whether a directory is watched now."""
        return directory in self._directories.values()

    async def wait_changes(self) -> tuple[Change, ...]:
        """Wait for at least one change and return all that have happened."""
        while not self._pending:
            self._arrived.clear()
            await self._arrived.wait()
        changes, self._pending = tuple(self._pending), []
        return changes

    def close(self) -> None:
        """Stop watching; idempotent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "DirectoryWatch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        try:
            block = os.read(self._descriptor, _BLOCK)
        except BlockingIOError:
            return
        for number, mask, name in parse_events(block):
            directory = self._directories.get(number)
            if mask & IGNORED:
                self._directories.pop(number, None)
            self._keep(Change(directory, name, mask))
        self._arrived.set()

    def _keep(self, change: Change) -> None:
        if len(self._pending) >= _PENDING_LIMIT:
            self._pending = [Change(None, "", OVERFLOW)]
        self._pending.append(change)


def parse_events(block: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield (watch number, mask, name) of each struct inotify_event in a block that was read."""
    position = 0
    while position + _HEADER.size <= len(block):
        number, mask, _, length = _HEADER.unpack_from(block, position)
        position += _HEADER.size
        name = block[position : position + length].rstrip(b"\0")
        position += length
        yield number, mask, os.fsdecode(name)
