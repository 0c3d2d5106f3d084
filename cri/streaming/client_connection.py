"""One client's connection: binds a pure Link to a transport, and gives each stream a reader and a writer.

Bounded in both directions. In: a stream with 1 MiB unread, or a connection with 4 MiB, stops reading from the client
until its readers catch up; nothing is dropped. Out: a writer waits while more than 1 MiB is unsent, one block of one
stream at a time. A client that makes us answer (pings) without ever reading is cut off.
Losing the client ends every stream; writing to a lost client does nothing. It decides nothing about sessions.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from cri.streaming.client_stream import ClientStream
from cri.streaming.wire.link_events import (
    Link,
    LinkEnded,
    LinkError,
    LinkEvent,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamReset,
)

log = logging.getLogger(__name__)

UNSENT_HIGH, UNSENT_LOW = 1024 * 1024, 256 * 1024
UNREAD_HIGH, UNREAD_LOW = 4 * 1024 * 1024, 1024 * 1024
"""Bytes of all streams of a connection; client_stream has the limits of one."""
ANSWERS_LIMIT = 1024 * 1024
"""Bytes above UNSENT_HIGH that are answers of the protocol itself."""
STUCK_SECONDS = 60.0
"""A client that reads nothing for so long does not get the rest."""

StreamHandler = Callable[[ClientStream], bool]
"""Told of each new stream; False refuses it."""


class ClientConnection(asyncio.Protocol):
    """See the module docstring."""

    def __init__(self, link: Link, transport: asyncio.Transport, on_stream: StreamHandler) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._transport = transport
        self._on_stream = on_stream
        self._streams: dict[int, ClientStream] = {}
        self._unread = 0
        self._choked: set[int] = set()
        """Streams that have too much unread."""
        self._reading_paused = False
        self._dropping = False
        self._sending = asyncio.Lock()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self.lost = asyncio.Event()
        """Set when the client is gone, or said goodbye."""
        self.last_activity = self._loop.time()
        """Loop time of the last bytes in either direction."""
        transport.set_write_buffer_limits(high=UNSENT_HIGH, low=UNSENT_LOW)

    def begin(self, opened: Iterable[LinkEvent], rest: bytes) -> None:
        """Take over the transport: what exists already, and what the client sent already."""
        self._transport.set_protocol(self)
        self._handle(opened)
        self._flush()
        if rest:
            self.data_received(rest)

    # --- called by the transport

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the link and its events to the streams."""
        self.last_activity = self._loop.time()
        if self.lost.is_set():
            return
        try:
            self._handle(self._link.receive(data))
        except LinkError as error:
            log.info("a streaming client broke the protocol: %s", error)
            self._flush()
            self._lose()
            self._transport.close()
        else:
            self._flush()

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._flushed.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self.last_activity = self._loop.time()
        self._flushed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """End every stream."""
        self._lose()

    # --- called by streams

    async def send(self, id: int, data: bytes) -> None:
        """Send bytes on a stream, waiting while the client is slow."""
        if not self._flushed.is_set():
            async with self._sending:  # one block at a time, else each stream would add one
                await self._flushed.wait()
                self.send_now(id, data)
        else:
            self.send_now(id, data)

    def send_now(self, id: int, data: bytes) -> None:
        """Send a few bytes on a stream whatever waits to be sent already."""
        if not self.lost.is_set():
            self.last_activity = self._loop.time()
            self._link.send(id, data)
            self._flush()

    def finish(self, id: int) -> None:
        """Send nothing more on a stream."""
        self._link.finish(id)
        self._flush()

    def reset(self, id: int) -> None:
        """End a stream in both directions."""
        self._streams.pop(id, None)
        self._link.reset(id)
        self._flush()

    def note_unread(self, change: int, id: int, *, choked: bool) -> None:
        """Keep account of what streams have not read yet, and stop or go on reading from the client."""
        self._unread += change
        (self._choked.add if choked else self._choked.discard)(id)
        if self._choked or self._unread > UNREAD_HIGH:
            self._pause_reading()
        elif self._unread <= UNREAD_LOW:
            self._go_on_reading()

    # --- called by sessions

    def seal(self) -> None:
        """Refuse further streams."""
        self._link.seal()

    def drop_input(self) -> None:
        """From now on read and drop whatever the client sends, so that its last words do not reset the connection."""
        self._dropping = True
        for stream in tuple(self._streams.values()):
            stream.discard()

    async def say_last_words(self) -> None:
        """Tell the client that all is sent, and wait until it has it; a client that reads nothing is cut off."""
        # The transport resumes writing when nothing at all is left. With TLS a limit of 0 would never resume.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._link.end_session()
        self._flush()
        left = -1
        while not self._flushed.is_set() and not self.lost.is_set():
            if left == (left := self._transport.get_write_buffer_size()):
                self.abort()
                return
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await self._flushed.wait()
            except TimeoutError:
                continue

    async def wait_lost(self, seconds: float) -> bool:
        """Wait until the client has hung up; False at the limit."""
        try:
            async with asyncio.timeout(seconds):
                await self.lost.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Say goodbye and close."""
        if not self.lost.is_set():
            self._link.close()
            self._flush()
            self._lose()
        self._transport.close()

    def abort(self) -> None:
        """Close at once, dropping what is unsent."""
        self._lose()
        self._transport.abort()

    # ---

    def _handle(self, events: Iterable[LinkEvent]) -> None:
        for event in events:
            if isinstance(event, StreamData):
                stream = self._streams.get(event.id)
                if stream is not None and not self._dropping:
                    stream.feed(event.data)
            elif isinstance(event, StreamEnded):
                if event.id in self._streams:
                    self._streams[event.id].feed_end()
            elif isinstance(event, StreamReset):
                if event.id in self._streams:
                    self._streams.pop(event.id).feed_reset()
            elif isinstance(event, StreamOpened):
                self._open(event.id, event.headers)
            elif isinstance(event, LinkEnded):
                self._flush()
                self._lose()
                self._transport.close()

    def _open(self, id: int, headers: Mapping[str, str]) -> None:
        stream = ClientStream(self, id, headers)
        if self._dropping or not self._on_stream(stream):
            self._link.reset(id)
            return
        self._streams[id] = stream
        self._link.accept(id)

    def _flush(self) -> None:
        for chunk in self._link.take_output():
            if not self._transport.is_closing():  # asyncio logs writes after that
                self._transport.write(chunk)
        if self._transport.get_write_buffer_size() > UNSENT_HIGH + ANSWERS_LIMIT:
            log.info("a streaming client reads nothing of what it asks for")
            self.abort()

    def _lose(self) -> None:
        if self.lost.is_set():
            return
        self.lost.set()
        self._flushed.set()
        for stream in tuple(self._streams.values()):
            stream.feed_reset()
        self._streams.clear()
        self._go_on_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.lost.is_set():
            self._reading_paused = True
            self._transport.pause_reading()

    def _go_on_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
