"""The client's side of the protocols, for tests: makes the bytes that client-go sends, and reads ours."""

import struct
import zlib
from collections.abc import Mapping

from websockets.frames import Frame, Opcode

from cri.streaming.wire import spdy_frames
from cri.streaming.wire.spdy_dictionary import DICTIONARY
from cri.streaming.wire.spdy_frames import ControlFrame, DataPiece, FrameReader
from cri.streaming.wire.spdy_headers import HeaderReader


class SpdyPeer:
    """A client that keeps the compression state of its direction."""

    def __init__(self) -> None:
        # As Go: the largest window, default level.
        self._deflater = zlib.compressobj(-1, zlib.DEFLATED, 15, 8, 0, DICTIONARY)
        self._frames = FrameReader()
        self.replies = HeaderReader()

    def block(self, headers: Mapping[str, str]) -> bytes:
        raw = struct.pack(">I", len(headers))
        for text in (text for pair in headers.items() for text in pair):
            raw += struct.pack(">I", len(text)) + text.encode()
        return self.compressed(raw)

    def compressed(self, raw: bytes) -> bytes:
        return self._deflater.compress(raw) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def open(self, id: int, *, fin: bool = False, **headers: str) -> bytes:
        return spdy_frames.syn_stream(id, self.block(headers), fin=fin)

    def read(self, output: list[bytes]) -> list[ControlFrame | DataPiece]:
        return [frame for chunk in output for frame in self._frames.feed(chunk)]


def websocket_frame(
    data: bytes, opcode: Opcode = Opcode.BINARY, *, fin: bool = True, masked: bool = True
) -> bytes:
    """Return one frame of a client."""
    return Frame(opcode, data, fin).serialize(mask=masked)


def websocket_payloads(output: list[bytes]) -> list[tuple[int, bytes]]:
    """Return opcode and payload of a server's frames."""
    raw = b"".join(output)
    found = []
    while raw:
        length, at = raw[1], 2
        if length == 126:
            length, at = struct.unpack_from(">H", raw, 2)[0], 4
        elif length == 127:
            length, at = struct.unpack_from(">Q", raw, 2)[0], 10
        found.append((raw[0] & 15, raw[at : at + length]))
        raw = raw[at + length :]
    return found
