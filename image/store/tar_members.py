"""Write the members of a layer's tar: what kind of file, whose, when, with PAX records where ustar has no room.

Pure: values in, bytes out. Names and attributes are bytes as the filesystem has them; Go's archive/tar, GNU tar and
`tar_stream` read them so. The same member gives the same bytes.
"""

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BLOCK = 512
_MAX_NAME = 100
_MAX_ID = 0o7777777
_MAX_SIZE = 0o77777777777
_MAX_TIME = 0o77777777777
_PAX_NAME = b"PaxHeaders/member"

_TYPES = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
HARD_LINK = b"1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One member without its data."""

    name: bytes
    """Relative; a directory's ends with a slash."""
    type: bytes
    """The type flag of POSIX.1-1988 ustar."""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    link: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def type_of(mode: int) -> bytes:
    """Return the type flag for a file's mode; empty for a socket, which a tar cannot hold."""
    return _TYPES.get(stat.S_IFMT(mode), b"")


def member_header(member: Member) -> bytes:
    """Return a member's header, with a PAX header before it where one is needed (POSIX.1-2001, pax)."""
    records = b"".join(_record(key, value) for key, value in _records(member))
    own = _header(member, member.type, member.name, member.size)
    if not records:
        return own
    extension = _header(Member(name=b"", type=b"x", mode=0o644), b"x", _PAX_NAME, len(records))
    return extension + records + bytes(-len(records) % BLOCK) + own


def _records(member: Member) -> Iterable[tuple[bytes, bytes]]:
    if len(member.name) > _MAX_NAME:
        yield b"path", member.name
    if len(member.link) > _MAX_NAME:
        yield b"linkpath", member.link
    if member.size > _MAX_SIZE:
        yield b"size", b"%d" % member.size
    if member.uid > _MAX_ID:
        yield b"uid", b"%d" % member.uid
    if member.gid > _MAX_ID:
        yield b"gid", b"%d" % member.gid
    if not _fits(member.mtime_ns):
        yield b"mtime", _time(member.mtime_ns)
    for name, value in sorted(member.xattrs.items()):
        yield b"SCHILY.xattr." + name.encode("utf-8", "surrogateescape"), value


def _record(key: bytes, value: bytes) -> bytes:
    """Return `LENGTH KEY=VALUE`; the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(b"%d" % length):
        length = len(rest) + len(b"%d" % length)
    return b"%d" % length + rest


def _fits(mtime_ns: int) -> bool:
    seconds, fraction = divmod(mtime_ns, 10**9)
    return not fraction and 0 <= seconds <= _MAX_TIME


def _time(mtime_ns: int) -> bytes:
    sign = b"-" if mtime_ns < 0 else b""
    seconds, fraction = divmod(abs(mtime_ns), 10**9)
    digits = (b".%09d" % fraction).rstrip(b"0").rstrip(b".")
    return sign + b"%d" % seconds + digits


def _header(member: Member, type_flag: bytes, name: bytes, size: int) -> bytes:
    seconds = min(max(0, member.mtime_ns // 10**9), _MAX_TIME)
    fields = [
        name[:_MAX_NAME].ljust(100, b"\0"),
        b"%07o\0" % (member.mode & 0o7777),
        b"%07o\0" % (member.uid if member.uid <= _MAX_ID else 0),
        b"%07o\0" % (member.gid if member.gid <= _MAX_ID else 0),
        b"%011o\0" % (size if size <= _MAX_SIZE else 0),
        b"%011o\0" % seconds,
        b" " * 8,
        type_flag,
        member.link[:_MAX_NAME].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"%07o\0" % member.major,
        b"%07o\0" % member.minor,
    ]
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
