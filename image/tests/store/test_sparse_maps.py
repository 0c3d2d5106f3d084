"""Tests of sparse maps."""

import pytest

from image.store.sparse_maps import MAX_PIECES, checked, leading_map, listed_map, old_gnu_map
from image.store.tar_headers import TarError
from image.tests.store.tar_making import Chunks


def _reader(content: bytes) -> "Chunks":
    return Chunks(content, 512)


def _pair(offset: int, length: int) -> bytes:
    return b"%011o\0%011o\0" % (offset, length)


def _old_header(pairs: bytes, *, extended: bool, real: int) -> bytes:
    return bytes(386) + pairs.ljust(96, b"\0") + bytes([extended]) + b"%011o\0" % real + bytes(17)


def test_old_map_goes_on_in_extension_blocks() -> None:
    extension = (_pair(50, 5) + _pair(90, 0)).ljust(504, b"\0") + bytes(8)
    source = _reader(extension)
    header = _old_header(_pair(0, 5), extended=True, real=90)
    assert old_gnu_map(header, lambda size: source.read_chunk()) == (((0, 5), (50, 5)), 90)


def test_endless_old_map_is_refused() -> None:
    block = _pair(0, 1) * 21 + b"\1" + bytes(7)
    with pytest.raises(TarError, match="too long"):
        old_gnu_map(_old_header(b"", extended=True, real=1), lambda size: block)


def test_listed_map_is_read() -> None:
    assert listed_map(b"0,5,10,5") == ((0, 5), (10, 5))
    assert listed_map(b"") == ()
    for bad in (b"0,5,10", b"0,x", b"-1,5"):
        with pytest.raises(TarError):
            listed_map(bad)


def test_leading_map_takes_whole_blocks() -> None:
    source = _reader(b"2\n0\n5\n10\n5\n".ljust(512, b"\0"))
    assert leading_map(lambda size: source.read_chunk(), 1024) == (((0, 5), (10, 5)), 512)


@pytest.mark.parametrize(
    "head", [b"2\n0\n5\n", b"x\n", b"9" * 512, b"%d\n" % (MAX_PIECES + 1), b"\n"]
)
def test_bad_leading_map_is_refused(head: bytes) -> None:
    source = _reader(head.ljust(512, b"\0"))
    with pytest.raises(TarError):
        leading_map(lambda size: source.read_chunk(), 512)


@pytest.mark.parametrize(
    ("segments", "stored", "real"),
    [
        (((0, 5), (4, 5)), 10, 20),
        (((5, 5), (0, 5)), 10, 20),
        (((0, 5),), 4, 20),
        (((0, 50),), 50, 20),
        (((0, 5),), 5, 1 << 60),
    ],
)
def test_map_that_does_not_fit_is_refused(
    segments: tuple[tuple[int, int], ...], stored: int, real: int
) -> None:
    with pytest.raises(TarError):
        checked(segments, stored, real)


def test_map_that_fits_is_returned() -> None:
    assert checked(((0, 5), (10, 5)), 10, 20) == ((0, 5), (10, 5))
