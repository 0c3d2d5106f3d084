"""A bounded pipe of byte chunks from the event loop, or a thread, to another thread.

Promise: the writer waits while the reader is behind, so memory stays flat; either side can give up, and the other
learns it at once instead of waiting for ever. One writer, one reader.
"""

import asyncio
import threading
from collections import deque

_LIMIT = 4 * 1024 * 1024


class PipeAbandonedError(Exception):
    """The other side has given up; its own error tells why."""


class BytePipe:
    """Chunks in order, at most a few MiB of them at a time."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._abandoned = False
        self._changed = threading.Condition()
        self._wake: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def write(self, chunk: bytes) -> None:
        """Add a chunk from a thread, waiting while the pipe is full."""
        with self._changed:
            self._changed.wait_for(lambda: self._size < self._limit or self._abandoned)
            self._add(chunk)

    async def write_from_loop(self, chunk: bytes) -> None:
        """Add a chunk from the event loop, waiting while the pipe is full."""
        while not self._try_add(chunk):
            await self._wait_space()

    def _try_add(self, chunk: bytes) -> bool:
        with self._changed:
            if self._size >= self._limit and not self._abandoned:
                loop = asyncio.get_running_loop()
                self._wake = (loop, asyncio.Event())
                return False
            self._add(chunk)
            return True

    async def _wait_space(self) -> None:
        wake = self._wake
        if wake is not None:
            await wake[1].wait()

    def _add(self, chunk: bytes) -> None:
        if self._abandoned:
            raise PipeAbandonedError
        if chunk:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no more chunks come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Give up, from either side; every waiting or later call of the other side fails."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
            self._rouse()

    def read_chunk(self) -> bytes:
        """Return the next chunk, nothing at the end; waits in a thread.

        Raises:
            PipeAbandonedError: the writer has given up.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._ended or self._abandoned)
            if self._abandoned:
                raise PipeAbandonedError
            if not self._chunks:
                return b""
            chunk = self._chunks.popleft()
            self._size -= len(chunk)
            # A waiting writer is woken late, at half: it then works for a while before it has to wait again.
            if self._size <= self._limit // 2:
                self._changed.notify_all()
                self._rouse()
            return chunk

    def _rouse(self) -> None:
        if self._wake is not None:
            loop, event = self._wake
            self._wake = None
            loop.call_soon_threadsafe(event.set)
