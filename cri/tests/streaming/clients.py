"""Clients for tests of the whole server: real sockets on loopback, and the client's side of SPDY and WebSocket."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from websockets.frames import Opcode

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_frames import ControlFrame, FrameType
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame, websocket_payloads

SECONDS = 30.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
V4 = "v4.channel.k8s.io"


async def request(
    url: str, *headers: str, method: str = "POST"
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    """Send one request head; return the answer's head and the connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{method} {parts.path} HTTP/1.1", "Host: test", *headers]
    writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    return head.decode(), reader, writer


class SpdyClient:
    """One client of a SPDY session; collects what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.peer = SpdyPeer()
        self.next_id = 1
        self.data: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.accepted: set[int] = set()
        self.pongs = 0
        self.goaway = False
        self.closed = False

    @classmethod
    async def connect(cls, url: str, *protocols: str) -> "SpdyClient":
        """Upgrade to SPDY."""
        names = [f"X-Stream-Protocol-Version: {name}" for name in protocols or (V4,)]
        head, reader, writer = await request(
            url, "Connection: Upgrade", "Upgrade: SPDY/3.1", *names
        )
        assert " 101 " in head, head
        return cls(reader, writer)

    def open(self, *, fin: bool = False, **headers: str) -> int:
        """Open a stream."""
        id, self.next_id = self.next_id, self.next_id + 2
        self.data[id] = b""
        self.writer.write(self.peer.open(id, fin=fin, **headers))
        return id

    def open_command(self, *names: str) -> list[int]:
        """Open the streams of a command."""
        return [self.open(streamtype=name) for name in names]

    def send(self, id: int, data: bytes, *, fin: bool = False) -> None:
        """Send data."""
        self.writer.write(spdy_frames.data_frame(id, data, fin=fin))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read until something has come."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                assert not self.closed, "the server closed before"
                await self.step()

    async def step(self) -> None:
        """Read once."""
        chunk = await self.reader.read(65536)
        self.closed = not chunk
        for frame in self.peer.read([chunk]):
            if isinstance(frame, ControlFrame):
                self._control(frame)
                continue
            self.data[frame.id] += frame.data
            if frame.fin:
                self.ended.add(frame.id)

    def _control(self, frame: ControlFrame) -> None:
        id, _ = spdy_frames.parse_with_id(frame.payload)
        if frame.type == FrameType.SYN_REPLY:
            self.accepted.add(id)
        elif frame.type == FrameType.RST_STREAM:
            self.reset.add(id)
        elif frame.type == FrameType.PING:
            self.pongs += 1
        elif frame.type == FrameType.GOAWAY:
            self.goaway = True

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        await self.writer.wait_closed()


class WebSocketClient:
    """One client of a WebSocket session; collects messages by channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.messages: list[tuple[int, bytes]] = []
        self.code = b""

    @classmethod
    async def connect(cls, url: str, protocol: str) -> "WebSocketClient":
        """Upgrade to WebSocket."""
        names = [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        head, reader, writer = await request(
            url,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {KEY}",
            *names,
            method="GET",
        )
        assert " 101 " in head, head
        return cls(reader, writer)

    def send(self, message: bytes, opcode: Opcode = Opcode.BINARY) -> None:
        """Send one message."""
        self.writer.write(websocket_frame(message, opcode))

    async def read_to_end(self) -> None:
        """Read until the server's close, and answer it."""
        async with asyncio.timeout(SECONDS):
            while not self.code:
                await self.step()
        self.send(self.code, Opcode.CLOSE)
        await self.close()

    async def step(self) -> None:
        """Read one message."""
        head = await self.reader.readexactly(2)
        rest = {126: 2, 127: 8}.get(head[1], 0)
        length_bytes = await self.reader.readexactly(rest)
        length = int.from_bytes(length_bytes, "big") if rest else head[1]
        frame = head + length_bytes + await self.reader.readexactly(length)
        ((opcode, payload),) = websocket_payloads([frame])
        if opcode == Opcode.CLOSE:
            self.code = payload
        else:
            self.messages.append((opcode, payload))

    def channel(self, number: int) -> bytes:
        """Return what came on a binary channel."""
        return b"".join(data[1:] for _, data in self.messages if data[0] == number)

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        await self.writer.wait_closed()
