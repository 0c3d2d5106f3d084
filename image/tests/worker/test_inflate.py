"""Tests of decompression."""

import gzip
import random

import pytest
import zstandard

from image.tests.store.tar_making import Chunks
from image.worker.inflate import CHUNK, InflateError, inflated

DATA = random.Random(1).randbytes(200_000) + bytes(900_000)


def unpack(packed: bytes, size: int = 1000) -> bytes:
    source = inflated(Chunks(packed, size))
    pieces = []
    while piece := source.read_chunk():
        assert len(piece) <= max(CHUNK, size)
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_members_and_frames_in_a_row_are_one_stream(size: int, pack: type[bytes]) -> None:
    head = DATA[:5000] if size < 100 else DATA
    assert unpack(pack(head) + pack(b"") + pack(b"tail"), size) == head + b"tail"


def test_skippable_frame_comes_first() -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    assert unpack(skippable + zstandard.compress(b"x")) == b"x"


def test_short_and_empty_blobs() -> None:
    assert unpack(b"") == b""
    assert unpack(b"ab", 1) == b"ab"


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(DATA)[:-5],
        gzip.compress(DATA)[:1000],
        gzip.compress(DATA) + b"garbage",
        b"\x1f\x8b" + b"x" * 100,
        zstandard.compress(DATA)[:4] + b"x" * 100,
    ],
)
def test_damage_is_told(packed: bytes) -> None:
    with pytest.raises(InflateError):
        unpack(packed)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_bomb_comes_in_small_pieces(pack: type[bytes]) -> None:
    source = inflated(Chunks(pack(bytes(64 << 20)), 1 << 20))
    assert 0 < len(source.read_chunk()) <= CHUNK


def test_frame_that_wants_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(InflateError, match="zstd"):
        unpack(writer.compress(DATA) + writer.flush(), 1 << 20)
