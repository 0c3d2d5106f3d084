"""A connection until its request is understood: reads the head, answers, and hands the transport on.

A head must be complete within 10 seconds, and only so many connections may be without one: the oldest must go when a
new one comes, so slow or silent clients hold nothing for long and keep nobody out. A refused request is answered and
closed.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from cri.streaming.wire.http_upgrade import HeadReader, Refused, RequestHead, refusal

HEAD_SECONDS = 10.0
CLOSE_SECONDS = 5.0
"""How long a refused client may take to hang up."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A request that was agreed to."""

    response: bytes
    start: Callable[[asyncio.Transport], None]
    """Takes over the transport right after the response."""


class RequestConnection(asyncio.Protocol):
    """See the module docstring."""

    def __init__(
        self,
        begin: Callable[[RequestHead], Begin],
        waiting: "dict[RequestConnection, None]",
        *,
        limit: int,
    ) -> None:
        self._begin = begin
        self._waiting = waiting
        self._limit = limit
        self._reader = HeadReader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock."""
        self._transport = cast(asyncio.Transport, transport)
        self._waiting[self] = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEAD_SECONDS, self._late)
        if len(self._waiting) > self._limit:
            next(
                iter(self._waiting)
            ).abort()  # the oldest; honest clients send their request at once

    def data_received(self, data: bytes) -> None:
        """Read the head."""
        if self._answered:
            return
        try:
            head = self._reader.feed(data)
            if head is None:
                return
            begin = self._begin(head)
        except Refused as refused:
            self._refuse(refused)
            return
        transport = self._done()
        if transport is not None:
            transport.write(begin.response)
            begin.start(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        self._done()

    def abort(self) -> None:
        """Close at once."""
        transport = self._done()
        if transport is not None:
            transport.abort()

    def _late(self) -> None:
        self._refuse(Refused(408, "the request did not come in time"))

    def _refuse(self, refused: Refused) -> None:
        if self._transport is None or self._answered:
            self.abort()
            return
        self._answered = True
        self._transport.write(refusal(refused))
        # Half-closed first: closing with unread bytes would destroy the answer on its way.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def _done(self) -> asyncio.Transport | None:
        """Stop the clock; return the transport, once."""
        self._answered = True
        self._waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport, self._transport = self._transport, None
        return transport
