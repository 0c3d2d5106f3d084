"""The server's side of one SPDY/3.1 connection as client-go's spdystream speaks it; a Link.

    NEW --accept--> OPEN --their FIN--> REMOTE_ENDED --our FIN--> closed
     |                |---our FIN-----> LOCAL_ENDED --their FIN-> closed
     `--their FIN--> NEW_ENDED --accept--> REMOTE_ENDED          a reset closes from everywhere

spdystream neither sends WINDOW_UPDATE and SETTINGS nor heeds them, so there are no windows: who must be slowed down is
slowed by TCP. It never sends HEADERS (they block a client's worker for ever) nor a frame before the first SYN_STREAM (the
client loses what stands right behind the 101). SYN_REPLY comes before data: a client drops data without it.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.link_events import (
    LinkError,
    LinkEvent,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from cri.streaming.wire.spdy_frames import (
    ControlFrame,
    DataPiece,
    Flag,
    FrameReader,
    FrameType,
    GoAwayStatus,
    ResetStatus,
)
from cri.streaming.wire.spdy_headers import HeaderReader, HeaderWriter

STREAM_LIMIT = 2048
"""Open streams of a connection; a port-forward with 1000 connections at once has 2000."""


class StreamState(Enum):
    """States of a stream that is not closed."""

    NEW = auto()
    NEW_ENDED = auto()
    OPEN = auto()
    REMOTE_ENDED = auto()
    LOCAL_ENDED = auto()


class StreamStep(Enum):
    """What changes a stream's state."""

    ACCEPT = auto()
    THEIR_FIN = auto()
    OUR_FIN = auto()


_TRANSITIONS: Mapping[tuple[StreamState, StreamStep], StreamState | None] = {
    (StreamState.NEW, StreamStep.ACCEPT): StreamState.OPEN,
    (StreamState.NEW, StreamStep.THEIR_FIN): StreamState.NEW_ENDED,
    (StreamState.NEW_ENDED, StreamStep.ACCEPT): StreamState.REMOTE_ENDED,
    (StreamState.OPEN, StreamStep.THEIR_FIN): StreamState.REMOTE_ENDED,
    (StreamState.OPEN, StreamStep.OUR_FIN): StreamState.LOCAL_ENDED,
    (StreamState.REMOTE_ENDED, StreamStep.OUR_FIN): None,
    (StreamState.LOCAL_ENDED, StreamStep.THEIR_FIN): None,
}
"""None: the stream is closed. What is not here cannot happen and changes nothing."""

_TAKES_DATA = frozenset({StreamState.NEW, StreamState.OPEN, StreamState.LOCAL_ENDED})
_GIVES_DATA = frozenset({StreamState.OPEN, StreamState.REMOTE_ENDED})


class SpdyConnection:
    """See the module docstring; implements Link."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._reader: HeaderReader | None = HeaderReader()
        self._writer: HeaderWriter | None = HeaderWriter()
        self._streams: dict[int, StreamState] = {}
        self._last_id = 0
        self._output: list[bytes] = []
        self._handlers: Mapping[int, Callable[[ControlFrame], list[LinkEvent]]] = {
            FrameType.SYN_STREAM: self._syn_stream,
            FrameType.RST_STREAM: self._rst_stream,
            FrameType.PING: self._ping,
            FrameType.HEADERS: self._headers,
            FrameType.SYN_REPLY: self._headers,
        }

    def receive(self, data: bytes) -> list[LinkEvent]:
        """See Link. A broken connection is answered with GOAWAY."""
        events: list[LinkEvent] = []
        try:
            for frame in self._frames.feed(data):
                if isinstance(frame, DataPiece):
                    events += self._data(frame)
                else:
                    events += self._control(frame)
        except LinkError:
            self._output.append(spdy_frames.goaway(self._last_id, GoAwayStatus.PROTOCOL_ERROR))
            raise
        return events

    def accept(self, id: int) -> None:
        """See Link."""
        if self._step(id, StreamStep.ACCEPT) and self._writer is not None:
            self._output.append(spdy_frames.syn_reply(id, self._writer.write({})))

    def send(self, id: int, data: bytes) -> None:
        """See Link."""
        if self._streams.get(id) in _GIVES_DATA:
            for at in range(0, len(data), spdy_frames.DATA_LIMIT):
                piece = data[at : at + spdy_frames.DATA_LIMIT]
                self._output.append(spdy_frames.data_frame(id, piece))

    def finish(self, id: int) -> None:
        """See Link."""
        if self._step(id, StreamStep.OUR_FIN):
            self._output.append(spdy_frames.data_frame(id, b"", fin=True))

    def reset(self, id: int) -> None:
        """See Link. A stream that was not accepted is refused."""
        state = self._streams.pop(id, None)
        if state is None:
            return
        refused = state in (StreamState.NEW, StreamState.NEW_ENDED)
        status = ResetStatus.REFUSED_STREAM if refused else ResetStatus.CANCEL
        self._output.append(spdy_frames.rst_stream(id, status))

    def seal(self) -> None:
        """See Link. Frees the two zlib streams, about 65 KiB."""
        self._reader = self._writer = None

    def end_session(self) -> None:
        """Nothing: a client takes an early GOAWAY for an error of its stdin."""

    def close(self) -> None:
        """See Link."""
        self._output.append(spdy_frames.goaway(self._last_id, GoAwayStatus.OK))

    def take_output(self) -> list[bytes]:
        """See Link."""
        output, self._output = self._output, []
        return output

    def _control(self, frame: ControlFrame) -> list[LinkEvent]:
        # SETTINGS, WINDOW_UPDATE and GOAWAY are not even looked into; unknown types are skipped (draft 2.2.1).
        handler = self._handlers.get(frame.type)
        return [] if handler is None else handler(frame)

    def _data(self, piece: DataPiece) -> list[LinkEvent]:
        state = self._streams.get(piece.id)
        if state not in _TAKES_DATA:
            if state is not None or piece.id > self._last_id:
                self._streams.pop(piece.id, None)
                return self._refuse(piece.id, state)
            return []  # of a stream that was closed: it was under way
        events: list[LinkEvent] = [StreamData(piece.id, piece.data)] if piece.data else []
        return events + (self._their_fin(piece.id) if piece.fin else [])

    def _refuse(self, id: int, state: StreamState | None) -> list[LinkEvent]:
        status = ResetStatus.INVALID_STREAM if state is None else ResetStatus.STREAM_ALREADY_CLOSED
        self._output.append(spdy_frames.rst_stream(id, status))
        return [] if state is None else [StreamReset(id)]

    def _their_fin(self, id: int) -> list[LinkEvent]:
        self._step(id, StreamStep.THEIR_FIN)
        return [StreamEnded(id)]

    def _syn_stream(self, frame: ControlFrame) -> list[LinkEvent]:
        id, block = spdy_frames.parse_syn_stream(frame.payload)
        if id % 2 == 0 or id <= self._last_id:
            raise LinkError(f"stream {id} cannot be opened after {self._last_id}")
        self._last_id = id
        # Read in any case: the next block refers to this one.
        headers = None if self._reader is None else self._reader.read(block)
        if headers is None or len(self._streams) >= STREAM_LIMIT:
            self._output.append(spdy_frames.rst_stream(id, ResetStatus.REFUSED_STREAM))
            return []
        self._streams[id] = StreamState.NEW
        opened: list[LinkEvent] = [StreamOpened(id, headers)]
        return opened + (self._their_fin(id) if frame.flags & Flag.FIN else [])

    def _rst_stream(self, frame: ControlFrame) -> list[LinkEvent]:
        id, _ = spdy_frames.parse_with_id(frame.payload)
        return [] if self._streams.pop(id, None) is None else [StreamReset(id)]

    def _ping(self, frame: ControlFrame) -> list[LinkEvent]:
        number, _ = spdy_frames.parse_with_id(frame.payload)
        if number % 2:  # even numbers are ours, and we never ping (draft 2.6.5)
            self._output.append(spdy_frames.ping(number))
        return []

    def _headers(self, frame: ControlFrame) -> list[LinkEvent]:
        _, block = spdy_frames.parse_with_id(frame.payload)
        if self._reader is not None:
            self._reader.read(block)
        return []

    def _step(self, id: int, step: StreamStep) -> bool:
        """Change a stream's state; False, changing nothing, when the step cannot happen."""
        state = self._streams.get(id)
        if state is None or (state, step) not in _TRANSITIONS:
            return False
        following = _TRANSITIONS[state, step]
        if following is None:
            del self._streams[id]
        else:
            self._streams[id] = following
        return True
