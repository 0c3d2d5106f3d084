"""Tests of tar header decoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.tar_headers import (
    TarError,
    parse_header,
    parse_number,
    plain_checksum,
    plain_link,
    plain_name,
    plain_owner,
    plain_size,
    plain_time,
)
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


_FIELD = st.one_of(
    st.from_regex(rb"[0-7]{7}[\0 ]", fullmatch=True),
    st.from_regex(rb"[ 0-9_+-]{7}[\0 ]", fullmatch=True),
    st.binary(min_size=8, max_size=8),
)


@given(
    uid=_FIELD, gid=_FIELD, size=_FIELD, name=st.binary(max_size=100), link=st.binary(max_size=9)
)
def test_what_is_read_the_short_way_is_what_the_long_way_reads(
    uid: bytes, gid: bytes, size: bytes, name: bytes, link: bytes
) -> None:
    block = header(name, uid=uid, gid=gid, size=b"0000" + size, link=link)
    owner, bytes_ = plain_owner(block[100:124]), plain_size(block[124:136])
    assert plain_checksum(block)
    if owner is not None and bytes_ is not None:
        long = parse_header(block)
        assert (*owner, bytes_) == (long.mode, long.uid, long.gid, long.size)
        assert (plain_name(block), plain_link(block)) == (long.name, long.linkname)
        assert plain_time(block[136:148]) == long.mtime * 10**9


@pytest.mark.parametrize(
    "field", [b"000001\0 ", b"0000018\0", b"      1\0", b"\x80\0\0\0\0\0\0\1", b"0000001x"]
)
def test_unusual_numbers_are_left_to_the_long_way(field: bytes) -> None:
    assert plain_owner(b"0000644\0" + b"0000000\0" + field) is None
    assert plain_size(b"0000" + field) is None
    assert plain_time(b"0000" + field) is None


@pytest.mark.parametrize("change", [(0, b"x"), (154, b" \0"), (148, b" "), (148, b"9")])
def test_wrong_or_unusual_checksum_is_left_to_the_long_way(change: tuple[int, bytes]) -> None:
    block = bytearray(header())
    place, content = change
    block[place : place + len(content)] = content
    assert not plain_checksum(bytes(block))
