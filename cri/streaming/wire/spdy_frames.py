"""Frames of SPDY/3.1: bytes to frames and back. Knows nothing of streams and their states.

    control: 1|version:15=3 | type:16 | flags:8 | length:24 | payload
    data:    0|stream:31              | flags:8 | length:24 | payload

Data is handed on as it arrives, never gathered; a control frame is gathered up to 64 KiB (spdystream trusted sizes from
frames until CVE-2026-35469, security rule G3). All integers are big endian.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TypeAlias

from cri.streaming.wire.link_events import LinkError

VERSION = 3
CONTROL_LIMIT = 64 * 1024
"""Bytes of one control frame: ten headers of the kubelet take 300."""
DATA_LIMIT = 2**24 - 1
"""Bytes of one data frame: the length has 24 bits."""
ID_MASK = 0x7FFFFFFF
_HEAD = struct.Struct(">II")
_WORD = struct.Struct(">I")
_TWO_WORDS = struct.Struct(">II")
_SYN_STREAM = struct.Struct(">IIBB")
_CONTROL_BIT = 0x80000000


class FrameType(IntEnum):
    """Types of control frames that are read or sent; every other one is skipped."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Flag(IntFlag):
    """The one flag that is used."""

    FIN = 1


class ResetStatus(IntEnum):
    """Reasons of RST_STREAM."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    STREAM_ALREADY_CLOSED = 9


class GoAwayStatus(IntEnum):
    """Reasons of GOAWAY."""

    OK = 0
    PROTOCOL_ERROR = 1


@dataclass(frozen=True, slots=True)
class ControlFrame:
    """A control frame with its payload as it came."""

    type: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class DataPiece:
    """A part of a data frame, or all of it."""

    id: int
    data: bytes
    fin: bool
    """True on the last piece of a frame that ends its stream."""


Frame: TypeAlias = ControlFrame | DataPiece


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = _HEAD.size
        """Bytes that must be there before anything can be said; spares looking at each single byte."""
        self._id = 0
        self._fin = False
        self._left = 0
        """Bytes of the data frame that are still to come."""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete with `data`.

        Raises:
            LinkError: this is not SPDY/3, or a control frame is too long.
        """
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
            self._held.clear()
        frames: list[Frame] = []
        rest = self._read(data, frames)
        self._held += data[rest:]
        return frames

    def _read(self, data: bytes, frames: list[Frame]) -> int:
        """Collect frames and return where the first incomplete one begins."""
        at, end = 0, len(data)
        while at < end:
            if self._left:
                at += self._take_data(data, at, frames)
                continue
            self._wanted = _HEAD.size
            if end - at < _HEAD.size:
                break
            first, second = _HEAD.unpack_from(data, at)
            flags, length = second >> 24, second & DATA_LIMIT
            if not first & _CONTROL_BIT:
                at += _HEAD.size
                self._begin_data(first, length, fin=bool(flags & Flag.FIN), frames=frames)
                continue
            _check_control(first, length)
            self._wanted = _HEAD.size + length
            if end - at < self._wanted:
                break
            payload = data[at + _HEAD.size : at + self._wanted]
            frames.append(ControlFrame(first & 0xFFFF, flags, payload))
            at += self._wanted
        return at

    def _begin_data(self, id: int, length: int, *, fin: bool, frames: list[Frame]) -> None:
        self._id, self._left, self._fin = id, length, fin
        if not length:
            frames.append(DataPiece(id, b"", fin))

    def _take_data(self, data: bytes, at: int, frames: list[Frame]) -> int:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        frames.append(DataPiece(self._id, piece, self._fin and not self._left))
        return len(piece)


def _check_control(first: int, length: int) -> None:
    version = first >> 16 & 0x7FFF
    if version != VERSION:
        raise LinkError(f"a frame has SPDY version {version}")
    if length > CONTROL_LIMIT:
        raise LinkError(f"a control frame has {length} bytes")


def data_frame(id: int, data: bytes, *, fin: bool = False) -> bytes:
    """Return a data frame; at most DATA_LIMIT bytes fit."""
    return _HEAD.pack(id, (Flag.FIN if fin else 0) << 24 | len(data)) + data


def control_frame(type: FrameType, payload: bytes, flags: int = 0) -> bytes:
    """Return a control frame."""
    return _HEAD.pack(_CONTROL_BIT | VERSION << 16 | type, flags << 24 | len(payload)) + payload


def syn_stream(id: int, block: bytes, *, fin: bool = False) -> bytes:
    """Return the frame that opens a stream."""
    payload = _SYN_STREAM.pack(id, 0, 0, 0) + block
    return control_frame(FrameType.SYN_STREAM, payload, Flag.FIN if fin else 0)


def syn_reply(id: int, block: bytes) -> bytes:
    """Return the frame that agrees to a stream."""
    return control_frame(FrameType.SYN_REPLY, _WORD.pack(id) + block)


def rst_stream(id: int, status: int) -> bytes:
    """Return the frame that ends a stream in both directions."""
    return control_frame(FrameType.RST_STREAM, _TWO_WORDS.pack(id, status))


def ping(number: int) -> bytes:
    """Return a ping, or the answer to one."""
    return control_frame(FrameType.PING, _WORD.pack(number))


def goaway(last_id: int, status: int) -> bytes:
    """Return the frame that ends a connection."""
    return control_frame(FrameType.GOAWAY, _TWO_WORDS.pack(last_id, status))


def parse_syn_stream(payload: bytes) -> tuple[int, bytes]:
    """Return stream id and header block of a SYN_STREAM.

    Raises:
        LinkError: it is too short.
    """
    if len(payload) < _SYN_STREAM.size:
        raise LinkError("a SYN_STREAM is too short")
    (id,) = _WORD.unpack_from(payload)
    return id & ID_MASK, payload[_SYN_STREAM.size :]


def parse_with_id(payload: bytes) -> tuple[int, bytes]:
    """Return the id at the start of a SYN_REPLY, HEADERS, RST_STREAM or PING, and what follows it.

    Raises:
        LinkError: it is too short.
    """
    if len(payload) < _WORD.size:
        raise LinkError("a control frame is too short")
    (id,) = _WORD.unpack_from(payload)
    return id, payload[_WORD.size :]
