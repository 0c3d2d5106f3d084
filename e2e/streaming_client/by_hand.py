"""A streaming client byte by byte, for what no honest client does: over a plain socket, with no thread and no ping.

Knows the bytes of SPDY and WebSocket from the unit tests' own peer; checks nothing.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from websockets.frames import Opcode

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_frames import ControlFrame, FrameType
from cri.tests.streaming.wire.peers import SpdyPeer, websocket_frame, websocket_payloads

SPDY_HEAD = (
    "POST {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    "X-Stream-Protocol-Version: {}\r\n\r\n"
)
WEBSOCKET_HEAD = (
    "GET {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: {}\r\n\r\n"
)
V4 = "v4.channel.k8s.io"
PORT_FORWARD = "portforward.k8s.io"
SECONDS = 60.0


def connect(url: str) -> socket.socket:
    """Connect to the server of a URL."""
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 0), SECONDS)


def head_for(url: str, head: str, protocol: str) -> bytes:
    """Return the request for a URL; without a protocol its header is left out."""
    text = head.format(urlsplit(url).path, protocol)
    return text.replace("Sec-WebSocket-Protocol: \r\n", "").encode()


def answer(connection: socket.socket) -> bytes:
    """Read until the server has said something, or hung up."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


@contextmanager
def upgraded(url: str, head: str = SPDY_HEAD, protocol: str = V4) -> Iterator[socket.socket]:
    """Begin a session."""
    with connect(url) as connection:
        begin(connection, url, head, protocol)
        yield connection


def begin(connection: socket.socket, url: str, head: str = SPDY_HEAD, protocol: str = V4) -> None:
    """Send the request and read exactly the head of its answer, which must be 101."""
    connection.sendall(head_for(url, head, protocol))
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the server hung up after {said!r}"
        said += byte
    assert said.startswith(b"HTTP/1.1 101"), said


class SpdyByHand:
    """One SPDY session; collects what comes."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over an upgraded connection."""
        self.connection = connection
        self.peer = SpdyPeer()
        self.next_id = 1
        self.data: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.closed = False

    def open(self, *, fin: bool = False, **headers: str) -> int:
        """Open a stream."""
        id, self.next_id = self.next_id, self.next_id + 2
        self.data[id] = b""
        self.connection.sendall(self.peer.open(id, fin=fin, **headers))
        return id

    def send(self, id: int, data: bytes, *, fin: bool = False) -> None:
        """Send data."""
        self.connection.sendall(spdy_frames.data_frame(id, data, fin=fin))

    def until_ended(self, id: int) -> None:
        """Read until the server has ended a stream."""
        self.until(lambda: id in self.ended)

    def ping(self) -> None:
        """Ask for a pong."""
        self.connection.sendall(spdy_frames.ping(1))

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until something holds, or the server hangs up."""
        while not condition() and not self.closed:
            chunk = answer(self.connection)
            self.closed = not chunk
            for frame in self.peer.read([chunk]):
                if isinstance(frame, ControlFrame):
                    if frame.type == FrameType.RST_STREAM:
                        self.reset.add(spdy_frames.parse_with_id(frame.payload)[0])
                    continue
                self.data[frame.id] = self.data.get(frame.id, b"") + frame.data
                if frame.fin:
                    self.ended.add(frame.id)


class WebSocketByHand:
    """One WebSocket session; collects messages."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over an upgraded connection."""
        self.connection = connection
        self.messages: list[bytes] = []
        self.code = 0
        """Of the server's close frame."""
        self.closed = False

    def send(self, message: bytes, *, text: bool = False) -> None:
        """Send one message."""
        self.connection.sendall(websocket_frame(message, Opcode.TEXT if text else Opcode.BINARY))

    def until(self, condition: Callable[[], bool]) -> None:
        """Read until something holds, or the server closes."""
        while not condition() and not self.closed:
            try:
                frame = self._frame()
            except EOFError:
                self.closed = True
                return
            ((opcode, payload),) = websocket_payloads([frame])
            if opcode == Opcode.CLOSE:
                self.code, self.closed = int.from_bytes(payload[:2], "big"), True
            else:
                self.messages.append(payload)

    def _frame(self) -> bytes:
        head = self._exactly(2)
        extra = {126: 2, 127: 8}.get(head[1], 0)
        length = self._exactly(extra)
        return head + length + self._exactly(int.from_bytes(length, "big") if extra else head[1])

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            block = self.connection.recv(count - len(data))
            if not block:
                raise EOFError
            data += block
        return data

    def channel(self, number: int, *, coded: bool = False) -> bytes:
        """Return what came on a channel; `coded`: its messages are base64."""
        mark = b"%d" % number if coded else bytes([number])
        bodies = [message[1:] for message in self.messages if message[:1] == mark]
        return b"".join(base64.b64decode(body) if coded else body for body in bodies)
