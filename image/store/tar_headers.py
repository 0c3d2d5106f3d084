"""Read one 512-byte tar header: V7, ustar, GNU and star forms.

Pure: bytes in, values out. Promise: every number is bounded before anyone uses it, and a header with a wrong
checksum is refused. Formats: POSIX.1-1988 ustar, GNU tar's manual ("Basic Tar Format"), star's trailer.
"""

import zlib
from dataclasses import dataclass

BLOCK = 512
ZEROES = bytes(BLOCK)
MAX_SIZE = 1 << 53
"""Largest size of one member that is believed: 8 PiB, above what any filesystem here holds."""
MAX_ID = (1 << 32) - 2
"""Largest uid or gid; (uid_t)-1 means "leave alone" in chown(2)."""

_ADLER_MODULUS = 65521


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
