"""The streams of one exec or attach: waits until the client has opened all that its request needs.

Which ones is decided by the request, not by the client: others are refused, and their order does not matter.
"""

import asyncio
from dataclasses import dataclass, field

from cri.streaming.client_stream import ClientStream

CREATION_SECONDS = 30.0
"""StreamCreationTimeout of the kubelet and of both Go runtimes."""


@dataclass(slots=True)
class CommandStreams:
    """What a session reads and writes; None for what the request did not ask for."""

    found: dict[str, ClientStream] = field(default_factory=dict)

    @property
    def stdin(self) -> ClientStream | None:
        """The client's input."""
        return self.found.get("stdin")

    @property
    def stdout(self) -> ClientStream | None:
        """Output; with a terminal everything."""
        return self.found.get("stdout")

    @property
    def stderr(self) -> ClientStream | None:
        """Errors; never with a terminal."""
        return self.found.get("stderr")

    @property
    def resize(self) -> ClientStream | None:
        """Sizes of the client's terminal."""
        return self.found.get("resize")

    @property
    def error(self) -> ClientStream | None:
        """Where the end of the session is told."""
        return self.found.get("error")


class StreamCollector:
    """Takes streams until the set is complete."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._complete = asyncio.Event()
        self.streams = CommandStreams()

    def take(self, stream: ClientStream) -> bool:
        """Accept a stream; False for one that is not wanted or there already."""
        name = stream.headers.get("streamtype", "")
        if name not in self._wanted or name in self.streams.found:
            return False
        self.streams.found[name] = stream
        if len(self.streams.found) == len(self._wanted):
            self._complete.set()
        return True

    async def wait_complete(self, lost: asyncio.Event) -> bool:
        """Wait for the last stream; False when the client is lost before.

        Raises:
            TimeoutError: it did not come in time.
        """
        if self._complete.is_set():
            return True
        async with asyncio.timeout(CREATION_SECONDS), asyncio.TaskGroup() as group:
            waits = [group.create_task(event.wait()) for event in (self._complete, lost)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()
        return self._complete.is_set()

    def missing(self) -> str:
        """Return the names of streams that did not come."""
        return ", ".join(sorted(self._wanted - self.streams.found.keys()))
