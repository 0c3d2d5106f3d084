"""Tests of tar header decoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.tar_headers import TarError, parse_header, parse_number
from image.tests.store.tar_making import header, sealed


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"0000644\0junk", 0o644),
        (b"\x80\0\0\0\0\0\0\0\0\0\1\0", 256),
        (b"\xff" * 12, -1),
        (b"\x80" + b"\x7f" * 11, int.from_bytes(b"\x7f" * 11, "big")),
    ],
)
def test_number_is_read_in_all_forms(raw: bytes, value: int) -> None:
    assert parse_number(raw) == value


@pytest.mark.parametrize("raw", [b"+000644\0", b"0_00644\0", b"0x0644\0\0", b"0000649\0", b"-1\0"])
def test_number_that_is_not_octal_is_refused(raw: bytes) -> None:
    with pytest.raises(TarError):
        parse_number(raw)


def test_ustar_prefix_is_joined() -> None:
    assert parse_header(header(b"name", prefix=b"some/dir")).name == b"some/dir/name"


def test_gnu_header_has_no_prefix() -> None:
    assert parse_header(header(b"name", magic=b"ustar  \0", prefix=b"12345")).name == b"name"


def test_star_header_has_a_shorter_prefix() -> None:
    block = bytearray(header(b"name", prefix=b"p" * 131))
    block[476:500] = b"0" * 24
    block[508:512] = b"tar\0"
    assert parse_header(sealed(block)).name == b"p" * 131 + b"/name"


def test_wrong_checksum_is_refused() -> None:
    block = bytearray(header())
    block[0] ^= 1
    with pytest.raises(TarError, match="checksum"):
        parse_header(bytes(block))


def test_signed_checksum_of_old_tars_is_accepted() -> None:
    block = bytearray(header("é".encode()))
    signed = sum(b - 256 if b > 127 else b for b in block[:148] + block[156:]) + 8 * 32
    block[148:156] = b"%06o\0 " % signed
    assert parse_header(bytes(block)).name == "é".encode()


def test_device_numbers_are_read_only_for_devices() -> None:
    numbers = b"0000001\x000000003\x00"
    assert parse_header(header(type=b"3", devices=numbers)).devminor == 3
    assert parse_header(header(type=b"0", devices=b"garbage!" * 2)).devmajor == 0


@given(st.binary(min_size=512, max_size=512))
def test_any_block_is_a_header_or_a_refusal(block: bytes) -> None:
    with pytest.raises(TarError):
        parse_header(bytes([1]) + block[1:148] + b"000000\0 " + block[156:])
