"""One stream between a client and a session: read what it sent, write to it, end either direction.

A stream keeps at most 1 MiB unread (plus one read of its connection); then its connection stops reading.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Protocol

UNREAD_HIGH, UNREAD_LOW = 1024 * 1024, 256 * 1024


class StreamCarrier(Protocol):
    """What a stream needs of its connection."""

    async def send(self, id: int, data: bytes) -> None:
        """Send bytes, waiting while the client is slow."""

    def send_now(self, id: int, data: bytes) -> None:
        """Send a few bytes without waiting."""

    def finish(self, id: int) -> None:
        """Send nothing more."""

    def reset(self, id: int) -> None:
        """End the stream in both directions."""

    def note_unread(self, change: int, id: int, *, choked: bool) -> None:
        """Keep account of unread bytes."""


class ClientStream:
    """See the module docstring. One task reads, one task writes."""

    def __init__(self, carrier: StreamCarrier, id: int, headers: Mapping[str, str]) -> None:
        self._carrier = carrier
        self.id = id
        self.headers = headers
        """What the client said about it, names in lower case."""
        self.gone = asyncio.Event()
        """Set when the client, or its loss, ended both directions."""
        self._blocks: deque[bytes] = deque()
        self._size = 0
        self._choked = False
        self._ended = False
        self._discarding = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Return what came next, b"" when the client sends nothing more."""
        while not self._blocks and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._blocks:
            return b""
        block = self._blocks.popleft()
        self._note(-len(block))
        return block

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the client is slow; nothing when it is gone."""
        if not self.gone.is_set():
            await self._carrier.send(self.id, data)

    def write_now(self, data: bytes) -> None:
        """Send a few bytes without waiting."""
        if not self.gone.is_set():
            self._carrier.send_now(self.id, data)

    def finish(self) -> None:
        """Send nothing more; the client may go on."""
        if not self.gone.is_set():
            self._carrier.finish(self.id)

    def reset(self) -> None:
        """End both directions."""
        if not self.gone.is_set():
            self._carrier.reset(self.id)
            self.feed_reset()
        self.discard()

    def discard(self) -> None:
        """Drop what is unread and whatever comes."""
        self._discarding = True
        self._blocks.clear()
        self._note(-self._size)

    # --- called by the connection

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._discarding or self._ended:
            return
        self._blocks.append(data)
        self._note(len(data))
        self._wake()

    def feed_end(self) -> None:
        """The client sends nothing more."""
        self._ended = True
        self._wake()

    def feed_reset(self) -> None:
        """The client is done with the stream, or gone. What it sent before can still be read."""
        self.gone.set()
        self.feed_end()

    def _note(self, change: int) -> None:
        self._size += change
        self._choked = self._size > (UNREAD_LOW if self._choked else UNREAD_HIGH)
        self._carrier.note_unread(change, self.id, choked=self._choked)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
