"""Read PAX extended headers (POSIX.1-2001 pax) and the vendor records that container tools write.

Pure. Promise: record lengths are checked, values are bounded, and extended attributes that could steer overlayfs or
the host's security modules are dropped: only `user.*` (without `user.overlay.*`), file capabilities and ACLs pass.
"""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from image.store.tar_headers import MAX_ID, MAX_SIZE, TarError

MAX_EXTENSION = 1 << 20
"""Bytes of one extension header; the limit of Go's archive/tar, so of every image that Docker can load."""

_ALLOWED = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")
_SPARSE_LIST = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")


def parse_records(raw: bytes) -> dict[bytes, bytes]:
    """Split an extended header into its records; the last of a keyword wins.

    The repeated `GNU.sparse.offset` and `.numbytes` of sparse format 0.0 are joined with commas, as format 0.1 has it.

    Raises:
        TarError: a record's length does not fit.
    """
    records: dict[bytes, bytes] = {}
    pieces: list[bytes] = []
    position = 0
    while position < len(raw):
        space = raw.find(b" ", position, position + 20)
        digits = raw[position:space]
        if space < 0 or not digits.isdigit():
            raise TarError("extended header record has no length")
        end = position + int(digits)
        if not space < end <= len(raw) or raw[end - 1 : end] != b"\n":
            raise TarError("extended header record has a wrong length")
        key, equals, value = raw[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise TarError("extended header record has no keyword")
        if key in _SPARSE_LIST:
            pieces.append(value)
        else:
            records[key] = value
        position = end
    if pieces:
        records[b"GNU.sparse.map"] = b",".join(pieces)
    return records


def decimal(value: bytes, limit: int = MAX_SIZE) -> int:
    """Decode an unsigned decimal of a record."""
    if not value.isdigit() or len(value) > 20 or int(value) > limit:
        raise TarError(f"number {value[:24]!r} in an extended header is out of range")
    return int(value)


def identity(value: bytes) -> int:
    """Decode a uid or gid of a record."""
    return decimal(value, MAX_ID)


def nanoseconds(value: bytes) -> int:
    """Decode a time, `[-]seconds[.fraction]`, to nanoseconds."""
    negative = value.startswith(b"-")
    whole, _, fraction = value.removeprefix(b"-").partition(b".")
    if not (whole or b"0").isdigit() or not (fraction or b"0").isdigit() or len(whole) > 20:
        raise TarError(f"time {value[:32]!r} cannot be read")
    total = int(whole or b"0") * 10**9 + int((fraction[:9] or b"0").ljust(9, b"0"))
    return -total if negative else total


def extended_attributes(records: dict[bytes, bytes]) -> dict[str, bytes]:
    """Collect the extended attributes that may be set on a file."""
    found: dict[str, bytes] = {}
    for key, value in records.items():
        if key.startswith(b"SCHILY.xattr."):
            name, content = key[13:], value
        elif key.startswith(b"LIBARCHIVE.xattr."):
            name, content = unquote_to_bytes(key[17:]), _base64(value)
        else:
            continue
        text = name.decode("utf-8", "surrogateescape")
        if is_allowed(text):
            found[text] = content
    return found


def is_allowed(name: str) -> bool:
    """Tell whether a tar may set this extended attribute.

    `trusted.overlay.*` and `user.overlay.*` steer overlayfs (redirect, opaque, metacopy): kernel documentation,
    filesystems/overlayfs.
    """
    if len(name) > 255 or "\0" in name:
        return False
    return name in _ALLOWED or (name.startswith("user.") and not name.startswith("user.overlay."))


def _base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise TarError("extended attribute is not base64") from None
