"""Copies what a process writes to a client's stream, to the last byte and not longer.

The end is the end of the pipe. A child that keeps it open after the process ended gets 2 seconds, and never costs a byte
that the process itself wrote: all of that is in the pipe by then, so a pipe's worth is read in any case, however slow the
client is (security rule G2).
"""

import asyncio

from cri.streaming.client_stream import ClientStream
from cri.streaming.descriptor_streams import PIPE_SIZE, DescriptorReader

DRAIN_SECONDS = 2.0


class OutputPump:
    """One descriptor to one stream; without a stream what is read is dropped."""

    def __init__(self, descriptor: int, stream: ClientStream | None) -> None:
        self._reader = DescriptorReader(descriptor)
        self._stream = stream
        self._deadline: float | None = None
        self._read_since_end = 0
        self._patience: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Copy until the end, then end the stream."""
        while block := await self._next():
            if self._stream is not None:
                await self._stream.write(block)
            await asyncio.sleep(0)  # neither side may ever have waited
        if self._stream is not None:
            self._stream.finish()

    def note_process_ended(self) -> None:
        """From now on only what is in the pipe, and a child's output for a short while."""
        self._deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        if self._patience is not None:
            self._patience.reschedule(self._deadline)

    async def _next(self) -> bytes:
        if self._deadline is not None and self._is_over(self._deadline):
            return b""
        try:
            async with asyncio.timeout_at(self._deadline) as self._patience:
                block = await self._reader.read()
        except TimeoutError:
            return b""
        finally:
            self._patience = None
        if self._deadline is not None:
            self._read_since_end += len(block)
        return block

    def _is_over(self, deadline: float) -> bool:
        late = asyncio.get_running_loop().time() > deadline
        return late and self._read_since_end >= PIPE_SIZE
