"""Read and write descriptors of pipes, terminals and sockets that do not block, on the event loop.

The descriptor stays the owner's, who closes it after the last call here. A try comes first and waiting second, so a busy
stream costs one system call per block.
"""

import asyncio
import fcntl
import os
from contextlib import suppress

BLOCK = 256 * 1024
PIPE_SIZE = 1024 * 1024
"""Pipes that are busy are made this large (fcntl(2), F_SETPIPE_SZ): fewer switches between us and the process."""
_DEFAULT_PIPE = 65536


class DescriptorReader:
    """Reads one descriptor."""

    def __init__(self, descriptor: int, block: int = BLOCK) -> None:
        self._descriptor = descriptor
        self._block = block
        self._may_grow = True
        self.failure: OSError | None = None
        """What ended it, if that was no end of file."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; a terminal's EIO and a broken socket are an end too."""
        while True:
            block = self.read_now()
            if block is not None:
                return block
            await _wait(self._descriptor, writing=False)

    def read_now(self) -> bytes | None:
        """Return the next bytes, b"" at the end, None when there are none yet."""
        try:
            block = os.read(self._descriptor, self._block)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            self.failure = error
            return b""
        if self._may_grow and len(block) >= _DEFAULT_PIPE:
            self._may_grow = False
            enlarge_pipe(self._descriptor)
        return block


class DescriptorWriter:
    """Writes one descriptor."""

    def __init__(self, descriptor: int, longest: int = BLOCK) -> None:
        self._descriptor = descriptor
        self._longest = longest
        """Bytes of one write; sockets that keep message borders need small ones."""
        self._may_grow = True

    async def write(self, data: bytes) -> bool:
        """Write everything, waiting while the reader is slow; False when nobody reads any more."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view[: self._longest]) :]
            except (BlockingIOError, InterruptedError):
                if self._may_grow:
                    self._may_grow = False
                    enlarge_pipe(self._descriptor)
                await _wait(self._descriptor, writing=True)
            except OSError:
                return False
        return True


def enlarge_pipe(descriptor: int) -> None:
    """Make a pipe hold PIPE_SIZE where the kernel allows it; nothing for other descriptors."""
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


async def _wait(descriptor: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not ready.done():
            ready.set_result(None)

    add, remove = (
        (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    )
    add(descriptor, note)
    try:
        await ready
    finally:
        remove(descriptor)
