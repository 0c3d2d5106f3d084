"""A connection that writes down what streams ask of it."""

import asyncio

from cri.streaming.client_stream import ClientStream


class FakeCarrier:
    """Implements StreamCarrier."""

    def __init__(self) -> None:
        self.sent: dict[int, bytes] = {}
        self.finished: list[int] = []
        self.were_reset: list[int] = []
        self.unread = 0
        self.choked: set[int] = set()
        self.writable = asyncio.Event()
        self.writable.set()

    async def send(self, id: int, data: bytes) -> None:
        await self.writable.wait()
        self.send_now(id, data)

    def send_now(self, id: int, data: bytes) -> None:
        self.sent[id] = self.sent.get(id, b"") + data

    def finish(self, id: int) -> None:
        self.finished.append(id)

    def reset(self, id: int) -> None:
        self.were_reset.append(id)

    def note_unread(self, change: int, id: int, *, choked: bool) -> None:
        self.unread += change
        (self.choked.add if choked else self.choked.discard)(id)

    def stream(self, id: int = 1, **headers: str) -> ClientStream:
        return ClientStream(self, id, headers)
