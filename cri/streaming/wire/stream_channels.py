"""Streams as channels of WebSocket messages: `channel.k8s.io`, `v4` and `v5` of it, and the base64 forms; a Link.

The first byte of a message names the channel. All channels exist from the start, so each is reported as opened at once;
their order is their number. Only v5 can end one direction: the message `ff CHANNEL`, which clients alone send. Text is
taken like binary, also in v5: PyPI's kubernetes client sends what it was given as str that way.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cri.streaming.wire.link_events import (
    LinkEnded,
    LinkError,
    LinkEvent,
    StreamData,
    StreamEnded,
    StreamOpened,
)
from cri.streaming.wire.websocket_frames import ClosedByPeer, MessagePiece, WebSocketConnection

PROTOCOL_ERROR = 1002
_CLOSE_SIGNAL = 255
_CLOSE_LENGTH = 2
_QUANTUM = 4
"""Characters that base64 makes of three bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What the versions of the channel protocol differ in."""

    base64: bool = False
    """Messages are text: a digit, then base64."""
    closes: bool = False
    """v5: the client can end a channel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelUse:
    """One channel."""

    headers: dict[str, str]
    """What a SPDY stream of this use would have as headers."""
    readable: bool
    """The client sends here; what comes on other channels is dropped."""
    greeting: bytes | None = None
    """A message to send at once."""


class ChannelLink:
    """See the module docstring."""

    def __init__(self, dialect: Dialect, channels: Sequence[ChannelUse]) -> None:
        self._dialect = dialect
        self._socket = WebSocketConnection()
        self._channels = channels
        self._ended: set[int] = set()
        self._current: int | None = None
        """Channel of the message that is coming in; None at its start."""
        self._signal = b""
        """What came of a close signal."""
        self._carry = b""
        """Base64 characters that do not make whole bytes yet."""
        for number, channel in enumerate(channels):
            if channel.greeting is not None:
                self.send(number, channel.greeting)

    def opened(self) -> list[LinkEvent]:
        """Return the channels as opened streams."""
        return [StreamOpened(number, use.headers) for number, use in enumerate(self._channels)]

    def receive(self, data: bytes) -> list[LinkEvent]:
        """See Link."""
        events: list[LinkEvent] = []
        for piece in self._socket.receive(data):
            if isinstance(piece, ClosedByPeer):
                events.append(LinkEnded())
            else:
                events += self._piece(piece)
        return events

    def accept(self, id: int) -> None:
        """Nothing: channels exist."""

    def send(self, id: int, data: bytes) -> None:
        """See Link."""
        if self._dialect.base64:
            self._socket.send(b"%d" % id + base64.b64encode(data), text=True)
        else:
            self._socket.send(bytes([id]) + data)

    def finish(self, id: int) -> None:
        """Nothing: a server cannot end one channel."""

    def reset(self, id: int) -> None:
        """Nothing can be told to the client; what it still sends here is dropped."""
        self._ended.add(id)

    def seal(self) -> None:
        """Nothing: there are never new channels."""

    def end_session(self) -> None:
        """See Link: clients take any other end than close code 1000 for an error."""
        self._socket.close()

    def close(self) -> None:
        """Nothing more to say."""

    def take_output(self) -> list[bytes]:
        """See Link."""
        return self._socket.take_output()

    def _piece(self, piece: MessagePiece) -> list[LinkEvent]:
        if piece.first:
            self._current, self._carry, self._signal = None, b"", b""
        data = piece.data
        if self._current is None and data:
            self._current, data = self._number(data[0]), data[1:]
        if self._current == _CLOSE_SIGNAL and self._dialect.closes:
            return self._close_signal(data, last=piece.last)
        if self._dialect.base64:
            data = self._decoded(data, last=piece.last)
        return self._data(data)

    def _number(self, first: int) -> int:
        return first - ord("0") if self._dialect.base64 else first

    def _data(self, data: bytes) -> list[LinkEvent]:
        number = self._current
        if number is None or not data or not self._takes(number):
            return []
        return [StreamData(number, data)]

    def _takes(self, number: int) -> bool:
        known = 0 <= number < len(self._channels)
        return known and self._channels[number].readable and number not in self._ended

    def _close_signal(self, data: bytes, *, last: bool) -> list[LinkEvent]:
        self._signal += data[:_CLOSE_LENGTH]
        if not last:
            return []
        if len(self._signal) != _CLOSE_LENGTH - 1:
            raise self._broken("a close signal must name one channel")
        number = self._signal[0]
        if not self._takes(number):
            return []
        self._ended.add(number)
        return [StreamEnded(number)]

    def _decoded(self, data: bytes, *, last: bool) -> bytes:
        text = self._carry + data
        whole = len(text) - len(text) % _QUANTUM
        self._carry = text[whole:]
        try:
            decoded = base64.b64decode(text[:whole], validate=True)
        except binascii.Error as error:
            raise self._broken("a message is not base64") from error
        if last and self._carry:
            raise self._broken("a message is not base64")
        return decoded

    def _broken(self, reason: str) -> LinkError:
        self._socket.close(PROTOCOL_ERROR, reason)
        return LinkError(reason)
