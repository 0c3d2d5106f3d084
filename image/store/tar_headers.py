"""Read one 512-byte tar header: V7, ustar, GNU and star forms.

Pure: bytes in, values out. Promise: every number is bounded before anyone uses it, and a header with a wrong
checksum is refused. Formats: POSIX.1-1988 ustar, GNU tar's manual ("Basic Tar Format"), star's trailer.
"""

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

BLOCK = 512
ZEROES = bytes(BLOCK)
MAX_SIZE = 1 << 53
"""Largest size of one member that is believed: 8 PiB, above what any filesystem here holds."""
MAX_ID = (1 << 32) - 2
"""Largest uid or gid; (uid_t)-1 means "leave alone" in chown(2)."""

_ADLER_MODULUS = 65521
_is_octal = re.compile(rb"[0-7]+").fullmatch


class TarError(ValueError):
    """The archive is malformed, truncated or beyond a limit. The message says where."""


@dataclass(slots=True)
class RawHeader:
    """The fields of one header as they stand there, numbers decoded."""

    typeflag: bytes
    name: bytes
    linkname: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    devmajor: int
    devminor: int
    block: bytes


def parse_header(block: bytes) -> RawHeader:
    """Decode a header block.

    Raises:
        TarError: the checksum is wrong or a number cannot be read.
    """
    _verify_checksum(block)
    typeflag = block[156:157]
    device = typeflag in b"34"
    return RawHeader(
        typeflag,
        _full_name(block),
        _text(block[157:257]),
        parse_number(block[100:108]),
        parse_number(block[108:116]),
        parse_number(block[116:124]),
        parse_number(block[124:136]),
        parse_number(block[136:148]),
        parse_number(block[329:337]) if device else 0,
        parse_number(block[337:345]) if device else 0,
        block,
    )


def plain_checksum(block: bytes) -> bool:
    """Tell whether the checksum is right and written as archivers of today do: six digits, NUL, space.

    A header of which this is not true may still be right: `parse_header` tells.
    """
    digits = block[148:154]
    if block[154:156] != b"\0 " or not _is_octal(digits):
        return False
    # As below, with the sum of the field's last two bytes and the eight spaces in the constant.
    expected = int(digits, 8) + sum(digits) + (1 + 0x20 - 8 * 0x20)
    return (zlib.adler32(block) & 0xFFFF) == expected % _ADLER_MODULUS


@lru_cache(4096)
def plain_owner(raw: bytes) -> tuple[int, int, int] | None:
    """Decode the fields of mode, uid and gid, of which an archive has few; None when one is not plain octal."""
    fields = (raw[0:8], raw[8:16], raw[16:24])
    if not all(_is_octal(field[:7]) and field[7] in b"\0 " for field in fields):
        return None
    mode, uid, gid = (int(field[:7], 8) for field in fields)
    return mode & 0o7777, uid, gid


@lru_cache(4096)
def plain_time(raw: bytes) -> int | None:
    """Decode the field of a time into nanoseconds; None when it is not plain octal."""
    seconds = plain_size(raw)
    return None if seconds is None else seconds * 10**9


def plain_size(raw: bytes) -> int | None:
    """Decode the field of a size; None when it is not plain octal."""
    digits = raw[:11]
    return int(digits, 8) if raw[11] in b"\0 " and _is_octal(digits) else None


def plain_name(block: bytes) -> bytes:
    """Return the name of a member, the prefix joined."""
    return _full_name(block)


def plain_link(block: bytes) -> bytes:
    """Return the name that a link leads to."""
    return _text(block[157:257]) if block[157] else b""


def parse_number(raw: bytes) -> int:
    """Decode an octal or base-256 field; an empty field is 0."""
    if raw[0] & 0x80:
        # GNU base-256: big endian two's complement, the top bit only marks the form.
        value = int.from_bytes(raw, "big", signed=False) & ((1 << (8 * len(raw) - 1)) - 1)
        return value - (1 << (8 * len(raw) - 1)) if raw[0] & 0x40 else value
    # Nearly all fields are digits and one end mark: a dozen of them for each file.
    digits = raw[:-1]
    text = digits if raw[-1] in b"\0 " and digits.isdigit() else raw.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if not text.isdigit():  # int() would also take signs and underscores
        raise TarError(f"number {text[:16]!r} is not octal")
    try:
        return int(text, 8)
    except ValueError:
        raise TarError(f"number {text[:16]!r} is not octal") from None


def _full_name(block: bytes) -> bytes:
    name = _text(block[0:100])
    if block[345] and block[257:263] == b"ustar\0":
        # star keeps times where ustar has the end of the prefix; its trailer tells.
        end = 476 if block[508:512] == b"tar\0" else 500
        return _text(block[345:end]) + b"/" + name
    return name


def _text(raw: bytes) -> bytes:
    return raw.partition(b"\0")[0]


def _verify_checksum(block: bytes) -> None:
    stated = parse_number(block[148:156])
    # The sum counts the checksum field as eight spaces. adler32's low half is 1 + the sum of all bytes (mod 65521),
    # twenty times faster than sum().
    total = stated - 8 * 0x20 + sum(block[148:156])
    if (zlib.adler32(block) & 0xFFFF) == (1 + total) % _ADLER_MODULUS:
        return
    # Some old tars summed signed bytes.
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + block[156:])
    if signed + 8 * 0x20 != stated:
        raise TarError("header checksum is wrong")
