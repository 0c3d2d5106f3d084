"""Read the maps of sparse tar members: which bytes of the file the archive holds.

Pure. Promise: a map that is returned is ascending, without overlaps, inside the file, and sums up to the stored
size; its length is bounded. Formats: old GNU (type S), PAX 0.0, 0.1 and 1.0 (GNU tar manual, "Sparse Formats").
"""

from collections.abc import Callable
from typing import TypeAlias

from image.store.pax_records import decimal
from image.store.tar_headers import BLOCK, MAX_SIZE, TarError, parse_number

MAX_PIECES = 1 << 17
"""Pieces of one file; a 1 GiB file that changes every 8 KiB has as many."""

Segments: TypeAlias = tuple[tuple[int, int], ...]


def old_gnu_map(block: bytes, read: Callable[[int], bytes]) -> tuple[Segments, int]:
    """Read the map in a type S header and its extension blocks; return it and the file's real size."""
    real_size = parse_number(block[483:495])
    numbers = _pairs(block[386:482])
    extended = block[482]
    while extended:
        block = read(BLOCK)
        numbers += _pairs(block[:504])
        if len(numbers) > 2 * MAX_PIECES:
            raise TarError("sparse map is too long")
        extended = block[504]
    return _segments(numbers), real_size


def listed_map(text: bytes) -> Segments:
    """Read the comma-separated map of PAX formats 0.0 and 0.1."""
    if not text:
        return ()
    fields = text.split(b",", 2 * MAX_PIECES)
    return _segments([decimal(field) for field in fields])


def leading_map(read: Callable[[int], bytes], stored: int) -> tuple[Segments, int]:
    """Read the map of PAX format 1.0 from the head of the data; return it and the bytes it took."""
    reader = _Lines(read, stored)
    count = decimal(reader.line(), MAX_PIECES)
    numbers = [decimal(reader.line()) for _ in range(2 * count)]
    return _segments(numbers), reader.taken


def checked(segments: Segments, stored: int, real_size: int) -> Segments:
    """Return the map if it describes a file of `real_size` of which `stored` bytes are in the archive.

    Raises:
        TarError: pieces overlap, run backwards or past the end, or do not add up.
    """
    if not 0 <= real_size <= MAX_SIZE:
        raise TarError("size of a sparse file is out of range")
    position = total = 0
    for offset, length in segments:
        if offset < position or length < 0 or offset + length > real_size:
            raise TarError("sparse map is not in order")
        position = offset + length
        total += length
    if total != stored:
        raise TarError("sparse map does not add up to the stored size")
    return segments


class _Lines:
    """Decimal lines at the head of the data, read block by block."""

    def __init__(self, read: Callable[[int], bytes], stored: int) -> None:
        self._read = read
        self._stored = stored
        self._text = b""
        self._position = 0
        self.taken = 0

    def line(self) -> bytes:
        while (end := self._text.find(b"\n", self._position)) < 0:
            if self.taken + BLOCK > self._stored or len(self._text) - self._position > 64:
                raise TarError("sparse map at the head of the data is cut off")
            self._text = self._text[self._position :] + self._read(BLOCK)
            self._position = 0
            self.taken += BLOCK
        line = self._text[self._position : end]
        self._position = end + 1
        return line


def _pairs(raw: bytes) -> list[int]:
    numbers: list[int] = []
    for start in range(0, len(raw), 24):
        if raw[start : start + 24].strip(b" \0") == b"":
            break
        numbers += (
            parse_number(raw[start : start + 12]),
            parse_number(raw[start + 12 : start + 24]),
        )
    return numbers


def _segments(numbers: list[int]) -> Segments:
    if len(numbers) % 2 or len(numbers) > 2 * MAX_PIECES:
        raise TarError("sparse map is incomplete or too long")
    # GNU tar ends a map with a piece of length zero at the end of the file; it carries nothing.
    pieces = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple((offset, length) for offset, length in pieces if length)
