"""Tests of extended headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.pax_records import (
    decimal,
    extended_attributes,
    identity,
    is_allowed,
    nanoseconds,
    parse_records,
)
from image.store.tar_headers import TarError


def test_last_record_of_a_keyword_wins() -> None:
    assert parse_records(b"9 path=a\n9 path=b\n") == {b"path": b"b"}


def test_value_may_hold_newline_and_equals() -> None:
    assert parse_records(b"11 k=a\nb=c\n\n"[:11]) == {b"k": b"a\nb=c\n"[:5]}


@pytest.mark.parametrize(
    "raw",
    [
        b"path=a\n",
        b"x path=a\n",
        b"8 path=a\n",
        b"99 path=a\n",
        b"0 path=a\n",
        b"9 pathXa\n",
        b"5 =a\n",
        b"99999999999999999999999 a=b\n",
    ],
)
def test_record_with_wrong_length_is_refused(raw: bytes) -> None:
    with pytest.raises(TarError):
        parse_records(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_refusal(raw: bytes) -> None:
    try:
        records = parse_records(raw)
    except TarError:
        return
    assert all(isinstance(key, bytes) for key in records)


def test_sparse_lists_are_joined() -> None:
    raw = b"23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=5\n"
    assert parse_records(raw) == {b"GNU.sparse.map": b"0,5"}


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"12", 12 * 10**9), (b"1.5", 1_500_000_000), (b"-1.25", -1_250_000_000), (b".5", 5 * 10**8)],
)
def test_time_is_read_to_the_nanosecond(text: bytes, value: int) -> None:
    assert nanoseconds(text) == value


@pytest.mark.parametrize("text", [b"x", b"1.x", b"--1", b"1" * 30, b"1e5"])
def test_bad_time_is_refused(text: bytes) -> None:
    with pytest.raises(TarError):
        nanoseconds(text)


@pytest.mark.parametrize("text", [b"", b"-1", b"1.0", b"9" * 21, b"9" * 19])
def test_bad_size_is_refused(text: bytes) -> None:
    with pytest.raises(TarError):
        decimal(text)


def test_owner_minus_one_is_refused() -> None:
    with pytest.raises(TarError):
        identity(b"4294967295")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("user.note", True),
        ("security.capability", True),
        ("system.posix_acl_access", True),
        ("trusted.overlay.opaque", False),
        ("trusted.any", False),
        ("user.overlay.redirect", False),
        ("security.selinux", False),
        ("security.ima", False),
        ("user." + "x" * 260, False),
    ],
)
def test_attributes_that_steer_the_host_are_dropped(name: str, allowed: bool) -> None:
    assert is_allowed(name) is allowed
    records = {b"SCHILY.xattr." + name.encode(): b"v"}
    assert (name in extended_attributes(records)) is allowed


def test_libarchive_attributes_are_decoded() -> None:
    assert extended_attributes({b"LIBARCHIVE.xattr.user.a%20b": b"aGk"}) == {"user.a b": b"hi"}
    with pytest.raises(TarError):
        extended_attributes({b"LIBARCHIVE.xattr.user.a": b"!"})
