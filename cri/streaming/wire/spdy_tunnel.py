"""SPDY inside WebSocket: `SPDY/3.1+portforward.k8s.io`; a Link.

Binary messages carry a plain stream of SPDY bytes: a client sends messages of any length, frames straddle them. We send
one message for each frame, and close with code 1000.
"""

from cri.streaming.wire.link_events import LinkEnded, LinkError, LinkEvent
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.websocket_frames import ClosedByPeer, WebSocketConnection

PROTOCOL_ERROR = 1002


class SpdyTunnel(SpdyConnection):
    """See the module docstring."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = WebSocketConnection()

    def receive(self, data: bytes) -> list[LinkEvent]:
        """See Link."""
        events: list[LinkEvent] = []
        for piece in self._socket.receive(data):
            if isinstance(piece, ClosedByPeer):
                events.append(LinkEnded())
            elif piece.text:
                self._socket.close(PROTOCOL_ERROR, "a text message in a binary protocol")
                raise LinkError("a text message in a binary protocol")
            else:
                events += super().receive(piece.data)
        return events

    def end_session(self) -> None:
        """See Link."""
        super().close()
        self._wrap()
        self._socket.close()

    def close(self) -> None:
        """Nothing more to say."""

    def take_output(self) -> list[bytes]:
        """See Link."""
        self._wrap()
        return self._socket.take_output()

    def _wrap(self) -> None:
        for frame in super().take_output():
            self._socket.send(frame)
