"""WebSocket (RFC 6455) after the handshake, server's side: bytes to pieces of messages and back.

The frames are read by the sans-I/O part of `websockets`; pings are answered and a close is echoed by it. No extension is
ever agreed to. A message is handed on frame by frame, so its length has no limit; a frame is gathered up to 1 MiB
(client-go sends 32 KiB at most).
"""

import logging
from dataclasses import dataclass

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from cri.streaming.wire.link_events import LinkError

FRAME_LIMIT = 1024 * 1024
_SILENT = logging.getLogger(__name__)
_SILENT.disabled = True
"""At debug level the library would write what people type into the log."""


@dataclass(frozen=True, slots=True)
class MessagePiece:
    """A frame of a message."""

    data: bytes
    first: bool
    last: bool
    text: bool
    """Whether the message is text; binary otherwise."""


@dataclass(frozen=True, slots=True)
class ClosedByPeer:
    """The peer closed; nothing more can be sent."""


class WebSocketConnection:
    """The frames of one connection."""

    def __init__(self) -> None:
        self._protocol = Protocol(
            SERVER, state=State.OPEN, max_size=(None, FRAME_LIMIT), logger=_SILENT
        )
        self._text = False

    def receive(self, data: bytes) -> list[MessagePiece | ClosedByPeer]:
        """Return what the bytes mean.

        Raises:
            LinkError: the peer broke the protocol; the close frame that says so is in the output.
        """
        self._protocol.receive_data(data)
        events = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        found = [piece for frame in events for piece in self._read(frame)]
        if self._protocol.parser_exc is not None:
            raise LinkError(f"websocket: {self._protocol.parser_exc}") from None
        return found

    def _read(self, frame: Frame) -> list[MessagePiece | ClosedByPeer]:
        if frame.opcode is Opcode.CLOSE:
            return [ClosedByPeer()]
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return []
        first = frame.opcode is not Opcode.CONT
        if first:
            self._text = frame.opcode is Opcode.TEXT
        return [MessagePiece(bytes(frame.data), first, frame.fin, self._text)]

    def send(self, message: bytes, *, text: bool = False) -> None:
        """Send one message; nothing after a close."""
        if self._protocol.state is State.OPEN:
            if text:
                self._protocol.send_text(message)
            else:
                self._protocol.send_binary(message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; nothing when that was done."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)

    def take_output(self) -> list[bytes]:
        """Return what must be sent now, in order."""
        return [chunk for chunk in self._protocol.data_to_send() if chunk]
