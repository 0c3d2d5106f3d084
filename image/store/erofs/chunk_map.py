"""Say where in the tar each run of a file lies, in EROFS' chunk indexes.

Pure. Promise: chunks start on blocks of 512 bytes in the file and in the tar, as every tar member does; a sparse file
whose pieces do not is `Unsupported`. The number of chunks of one file is bounded.
"""

import struct

from image.store.sparse_maps import Segments

BLOCK_BITS = 9
"""Blocks of 512 bytes: the only size that fits the members of any tar."""
BLOCK = 1 << BLOCK_BITS
MAX_CHUNK_BITS = 40
"""EROFS_CHUNK_FORMAT_BLKBITS_MASK holds 31 beyond the block's own 9."""
MAX_CHUNKS = 1 << 20
MAX_TAR_BYTES = BLOCK << 32
"""Block numbers have 32 bits."""
TAR_DEVICE = 1

_INDEX = struct.Struct("<HHI")
_HOLE = _INDEX.pack(0xFFFF, 0xFFFF, 0xFFFFFFFF)


class Unsupported(Exception):
    """A valid layer that an index cannot express; it has to be extracted. The message says why."""


def chunk_bits(size: int, segments: Segments | None) -> int:
    """Return the size of a file's chunks as a power of two: the largest that the pieces of a sparse file allow.

    Raises:
        Unsupported: a piece does not start or end on a block, or there would be too many chunks.
    """
    bits = (size - 1).bit_length()
    if segments is None and BLOCK_BITS <= bits <= MAX_CHUNK_BITS:
        return bits
    bits = max(BLOCK_BITS, min(MAX_CHUNK_BITS, bits))
    borders = _borders(size, segments or ())
    if borders:
        bits = min(bits, (borders & -borders).bit_length() - 1)
    if bits < BLOCK_BITS:
        raise Unsupported("pieces of a sparse file do not lie on blocks")
    if chunk_count(size, bits) > MAX_CHUNKS:
        raise Unsupported("sparse file has too many pieces")
    return bits


def chunk_count(size: int, bits: int) -> int:
    """Return how many chunks a file has."""
    return (size + (1 << bits) - 1) >> bits


def chunk_indexes(size: int, bits: int, offset: int, segments: Segments | None) -> bytes:
    """Return the array of chunk indexes of a file whose data starts at `offset` of the tar."""
    if segments is None:
        if size <= 1 << bits:
            return _pack(offset >> BLOCK_BITS)
        first, step = offset >> BLOCK_BITS, 1 << (bits - BLOCK_BITS)
        return b"".join(_pack(first + step * n) for n in range(chunk_count(size, bits)))
    indexes = [_HOLE] * chunk_count(size, bits)
    for start, length in segments:
        for number in range(start >> bits, chunk_count(start + length, bits)):
            indexes[number] = _pack((offset + (number << bits) - start) >> BLOCK_BITS)
        offset += length
    return b"".join(indexes)


def _pack(block: int) -> bytes:
    return _INDEX.pack(0, TAR_DEVICE, block)


def _borders(size: int, segments: Segments) -> int:
    """Join the bits of all borders; the end of the file is none, since its size cuts the last chunk."""
    joined = 0
    for start, length in segments:
        end = start + length
        joined |= start | (0 if end == size else end)
    return joined
