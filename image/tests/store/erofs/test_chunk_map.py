"""Tests of the map from files to places in the tar."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.erofs.chunk_map import (
    MAX_CHUNKS,
    Unsupported,
    chunk_bits,
    chunk_count,
    chunk_indexes,
)

HOLE = (0xFFFF, 0xFFFF, 0xFFFFFFFF)


def indexes(size: int, offset: int, segments: tuple[tuple[int, int], ...] | None) -> list[object]:
    bits = chunk_bits(size, segments)
    return list(struct.iter_unpack("<HHI", chunk_indexes(size, bits, offset, segments)))


@pytest.mark.parametrize(
    ("size", "bits"), [(1, 9), (512, 9), (513, 10), (4096, 12), (1 << 40, 40), ((1 << 40) + 1, 40)]
)
def test_one_chunk_covers_a_file_up_to_a_terabyte(size: int, bits: int) -> None:
    assert chunk_bits(size, None) == bits
    assert chunk_count(size, bits) == (2 if size > 1 << 40 else 1)


def test_file_beyond_a_terabyte_has_chunks_one_after_the_other() -> None:
    assert indexes((1 << 40) + 1, 1024, None) == [(0, 1, 2), (0, 1, 2 + (1 << 31))]


def test_holes_and_pieces_are_mapped() -> None:
    # 1 KiB of data, a hole of 2 KiB, 100 bytes that end the file
    assert indexes(3072 + 100, 5120, ((0, 1024), (3072, 100))) == [
        (0, 1, 10),
        HOLE,
        HOLE,
        (0, 1, 12),
    ]


def test_file_of_one_hole_needs_one_chunk() -> None:
    assert indexes(1 << 35, 512, ()) == [HOLE]


@pytest.mark.parametrize("segments", [((0, 100),), ((100, 512),), ((0, 512), (1000, 24))])
def test_pieces_that_are_not_on_blocks_are_extracted(segments: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(Unsupported):
        chunk_bits(4096, segments)


def test_endless_list_of_chunks_is_extracted() -> None:
    with pytest.raises(Unsupported, match="too many"):
        chunk_bits(512 * (MAX_CHUNKS + 1), ((512, 512),))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=6), st.integers(0, 511))
def test_mapped_bytes_are_the_stored_ones(pieces: list[tuple[int, int]], rest: int) -> None:
    segments, position = [], 0
    for gap, length in pieces:
        position += gap * 512
        segments.append((position, length * 512))
        position += length * 512
    size = position + rest + 1
    tar = bytes(range(256)) * (8 + sum(length for _, length in segments) // 256 + 8)
    stored = tar[1024:]
    expected = bytearray(size)
    for start, length in segments:
        expected[start : start + length] = stored[:length]
        stored = stored[length:]
    bits = chunk_bits(size, tuple(segments))
    found = bytearray()
    for high, device, block in struct.iter_unpack(
        "<HHI", chunk_indexes(size, bits, 1024, tuple(segments))
    ):
        hole = (high, device, block) == HOLE
        found += bytes(1 << bits) if hole else tar[block * 512 : (block * 512) + (1 << bits)]
    assert found[:position] == expected[:position]
