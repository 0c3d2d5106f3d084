"""Read a pipe on the event loop into memory, up to a limit, dropping what is beyond.

The pipe is always read to its end, so that its writer never blocks on a full pipe and never gets SIGPIPE for saying
much. Blocks are kept in a list and joined once: `bytes +=` took 20 s for 64 MiB.
"""

import asyncio
import os

_BLOCK = 64 * 1024
"""Capacity of a pipe (pipe(7)): one read empties it."""
_READS_PER_TURN = 16
"""A writer in an endless loop must not keep the event loop from other work."""


class OutputCapture:
    """The reading end of one pipe; owns the descriptor."""

    def __init__(self, descriptor: int, limit: int) -> None:
        os.set_blocking(descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._limit = limit
        self._blocks: list[bytes] = []
        self._kept = 0
        self._grown: asyncio.Future[None] | None = None
        self.dropped = 0
        """Bytes beyond the limit that were read and thrown away."""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done at end of file, or when the capture was closed."""
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                block = os.read(self._descriptor, _BLOCK)
            except BlockingIOError:
                return
            except OSError:
                block = b""  # EIO: the other end of a pty is gone, which is its end of file
            if not block:
                self.close()
                return
            self._keep(block)

    def _keep(self, block: bytes) -> None:
        room = self._limit - self._kept
        kept = block if len(block) <= room else block[:room]
        if kept:
            self._blocks.append(kept)
            self._kept += len(kept)
        self.dropped += len(block) - len(kept)
        if self._grown is not None and not self._grown.done():
            self._grown.set_result(None)

    async def wait_line(self) -> None:
        """Wait until a whole line or the end of the pipe is there; the caller sets the deadline."""
        while not self.ended.done() and b"\n" not in self.output():
            if self._grown is None or self._grown.done():
                self._grown = self._loop.create_future()
            await asyncio.wait((self._grown, self.ended), return_when=asyncio.FIRST_COMPLETED)

    def output(self) -> bytes:
        """Return what was kept so far."""
        return b"".join(self._blocks)

    def close(self) -> None:
        """Stop reading and close the pipe; idempotent. What was read stays available."""
        if self._descriptor < 0:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        if not self.ended.done():
            self.ended.set_result(None)


async def wait_ended(captures: tuple[OutputCapture, ...], seconds: float) -> None:
    """Give pipes up to `seconds` to end, then close them: a background child may hold them for ever."""
    pending = [capture.ended for capture in captures if not capture.ended.done()]
    try:
        if pending:
            await asyncio.wait(pending, timeout=seconds)
    finally:
        for capture in captures:
            capture.close()
