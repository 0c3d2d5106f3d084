"""Holds a container's output between its monitor and one attached client, so that neither must wait for the other.

A monitor waits for its slowest client, and the container and its log with it (conmon's attach socket). So packets are
taken as they come and kept up to 4 MiB; a client that then does not take half of that within a second is given up.
"""

import asyncio
from collections import deque
from contextlib import suppress

from cri.streaming.client_stream import ClientStream

LIMIT = 4 * 1024 * 1024
"""Bytes."""
STALL_SECONDS = 1.0
_LOOKS = 10
"""A stall is counted in so many parts, not by the clock: while the daemon had no processor, no client could read."""
_LONGEST_WRITE = 256 * 1024


class ClientTooSlow(Exception):
    """The client did not take its output in time."""


class AttachQueue:
    """One task puts, one task delivers."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._packets: deque[tuple[ClientStream, bytes]] = deque()
        self._size = 0
        self._closed = False
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self.last_put = asyncio.get_running_loop().time()
        """Loop time of the last packet."""

    async def put(self, stream: ClientStream, data: bytes) -> None:
        """Add a packet; waits only when there is no room.

        Raises:
            ClientTooSlow: there was no room for too long.
        """
        self._packets.append((stream, data))
        self._size += len(data)
        self.last_put = asyncio.get_running_loop().time()
        self._filled.set()
        if self._size > self._limit:
            self._roomy.clear()
            await self._wait_room()

    async def _wait_room(self) -> None:
        for _ in range(_LOOKS):
            with suppress(TimeoutError):
                async with asyncio.timeout(STALL_SECONDS / _LOOKS):
                    await self._roomy.wait()
                return
        raise ClientTooSlow

    def close(self) -> None:
        """No packets come any more."""
        self._closed = True
        self._filled.set()

    async def deliver(self) -> None:
        """Write packets to their streams, in their order, until the queue is closed and empty."""
        while True:
            while self._packets:
                stream, block = self._take()
                await stream.write(block)
                self._size -= len(block)
                if self._size <= self._limit // 2:
                    self._roomy.set()
            if self._closed:
                return
            self._filled.clear()
            await self._filled.wait()

    def _take(self) -> tuple[ClientStream, bytes]:
        """Return what stands first, with what follows it on the same stream."""
        stream, first = self._packets.popleft()
        blocks, size = [first], len(first)
        while self._packets and self._packets[0][0] is stream and size < _LONGEST_WRITE:
            blocks.append(self._packets.popleft()[1])
            size += len(blocks[-1])
        return stream, b"".join(blocks)
