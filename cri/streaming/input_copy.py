"""Copies what a client sends to a process: its input, and the sizes of its terminal."""

import asyncio

from cri.streaming.client_stream import ClientStream
from cri.streaming.descriptor_streams import DescriptorWriter
from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.terminal_sizes import SizeReader, TerminalSize

FIRST_SIZE_SECONDS = 0.5
"""Clients with a terminal send its size at once; others never do, and must not wait long for a prompt."""


async def copy_input(stream: ClientStream, writer: DescriptorWriter) -> bool:
    """Copy until the client sends nothing more; False when the process stopped reading before."""
    while block := await stream.read():
        if not await writer.write(block):
            stream.discard()
            return False
    return True


class SizeStream:
    """The sizes that a client sends; the newest of those that came together counts."""

    def __init__(self, stream: ClientStream) -> None:
        self._stream = stream
        self._reader = SizeReader()

    async def first(self) -> TerminalSize | None:
        """Return the size that came first, None when none comes soon."""
        try:
            async with asyncio.timeout(FIRST_SIZE_SECONDS):
                return await self.next()
        except TimeoutError:
            return None

    async def next(self) -> TerminalSize | None:
        """Return the next size, None when none comes any more."""
        while block := await self._stream.read():
            try:
                sizes = self._reader.feed(block)
            except LinkError:
                self._stream.discard()  # a broken size ends resizing, not the session
                return None
            if sizes:
                return sizes[-1]
        return None
