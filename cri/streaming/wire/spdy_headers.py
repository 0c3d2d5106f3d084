"""Header blocks of SPDY/3: compressed by one zlib stream per direction and connection, with a dictionary known to both.

Each block ends at a sync flush and must be read in its order, even when its frame is refused: the next one refers to it.
A block is refused before it can grow: 64 KiB inflated and 64 headers are 20 times what any client sends (rule G3).
"""

import struct
import zlib
from collections.abc import Mapping

from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.spdy_dictionary import DICTIONARY

BLOCK_LIMIT = 64 * 1024
HEADER_LIMIT = 64
_WINDOW_BITS = 11
"""A window of 2 KiB just holds the dictionary and costs 25 KiB per connection; the usual 15 costs 152."""
_LEVEL = 6
_LEAST_MEMORY = 1
_WORD = struct.Struct(">I")


class HeaderReader:
    """Reads the blocks of one direction, in their order."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Return the headers of the next block.

        Raises:
            LinkError: it is damaged or too large.
        """
        try:
            raw = self._inflater.decompress(block, BLOCK_LIMIT)
        except zlib.error as error:
            raise LinkError("a header block is damaged") from error
        if self._inflater.unconsumed_tail:
            raise LinkError("a header block is too large")
        return parse_headers(raw)


class HeaderWriter:
    """Writes the blocks of one direction, in their order."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(
            _LEVEL,
            zlib.DEFLATED,
            _WINDOW_BITS,
            _LEAST_MEMORY,
            zlib.Z_DEFAULT_STRATEGY,
            DICTIONARY,
        )

    def write(self, headers: Mapping[str, str]) -> bytes:
        """Return the next block."""
        raw = b"".join([_WORD.pack(len(headers)), *map(_text, _alternate(headers))])
        return self._deflater.compress(raw) + self._deflater.flush(zlib.Z_SYNC_FLUSH)


def parse_headers(raw: bytes) -> dict[str, str]:
    """Return the headers of an inflated block: a count, then names and values, each behind its length.

    Raises:
        LinkError: it is no such block.
    """
    count, at = _word(raw, 0)
    if count > HEADER_LIMIT:
        raise LinkError(f"a header block has {count} headers")
    headers: dict[str, str] = {}
    for _ in range(count):
        name, at = _field(raw, at)
        value, at = _field(raw, at)
        if not name or name in headers:
            raise LinkError("a header has no name, or comes twice")
        headers[name.lower()] = value
    if at != len(raw):
        raise LinkError("a header block has bytes behind its end")
    return headers


def _alternate(headers: Mapping[str, str]) -> list[str]:
    return [text for pair in headers.items() for text in pair]


def _text(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _WORD.pack(len(raw)) + raw


def _word(raw: bytes, at: int) -> tuple[int, int]:
    if len(raw) - at < _WORD.size:
        raise LinkError("a header block ends early")
    (value,) = _WORD.unpack_from(raw, at)
    return int(value), at + _WORD.size


def _field(raw: bytes, at: int) -> tuple[str, int]:
    length, at = _word(raw, at)
    if length > len(raw) - at:
        raise LinkError("a header is longer than its block")
    return raw[at : at + length].decode("latin-1"), at + length
