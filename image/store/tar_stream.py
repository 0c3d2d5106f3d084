"""Read the members of an uncompressed tar from a stream, once, front to back.

Promise: nothing in a header is trusted: sizes are bounded, truncation and bad checksums are errors, and memory does
not grow with what a header claims. Links, devices and directories carry no data whatever their size field says, as
in Go's archive/tar, so that all tools see the same members. Never touches the filesystem.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from image.store.pax_records import (
    MAX_EXTENSION,
    decimal,
    extended_attributes,
    identity,
    nanoseconds,
    parse_records,
)
from image.store.sparse_maps import Segments, checked, leading_map, listed_map, old_gnu_map
from image.store.tar_headers import (
    BLOCK,
    MAX_ID,
    MAX_SIZE,
    ZEROES,
    RawHeader,
    TarError,
    parse_header,
    plain_checksum,
    plain_link,
    plain_name,
    plain_owner,
    plain_size,
    plain_time,
)


class ByteSource(Protocol):
    """Where the archive's bytes come from."""

    def read_chunk(self) -> bytes:
        """Return the next bytes, at least one; none at all at the end."""


class Kind(enum.IntEnum):
    """What a member is."""

    FILE = 0
    HARD_LINK = 1
    SYMLINK = 2
    CHARACTER = 3
    BLOCK = 4
    DIRECTORY = 5
    FIFO = 6


_KINDS = {b"\0": Kind.FILE, b"7": Kind.FILE, b"S": Kind.FILE} | {b"%d" % k: k for k in Kind}
_PLAIN_KINDS = {
    ord("0"): Kind.FILE,
    ord("1"): Kind.HARD_LINK,
    ord("2"): Kind.SYMLINK,
    ord("5"): Kind.DIRECTORY,
}
_NO_XATTRS: dict[str, bytes] = {}


@dataclass(slots=True)
class TarEntry:
    """One member, its numbers in range, its names as the archive has them."""

    kind: Kind
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    size: int
    """Size of the file; of a sparse one with its holes."""
    mtime_ns: int
    major: int
    minor: int
    xattrs: dict[str, bytes]
    segments: Segments | None = None
    """Map of a sparse file."""


@dataclass(slots=True)
class _Extensions:
    """What precedes a member and changes it."""

    records: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    link: bytes = b""


class TarStream:
    """Iterate over the members; read the data of each with `pieces` before the next is asked for."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._chunk = b""
        self._position = 0
        self._passed = 0
        self._left = 0
        self._padding = 0

    @property
    def offset(self) -> int:
        """How many bytes of the stream are read: after a member was yielded, where its data lies."""
        return self._passed + self._position

    def __iter__(self) -> Iterator[TarEntry]:
        """Yield members until the end marker or the end of the stream.

        Raises:
            TarError: the archive is malformed.
        """
        extensions = _Extensions()
        extended = False
        while (block := self._next_header()) is not None:
            if block[156] in b"xXgLKV":
                self._extend(block, extensions)
                extended = True
                continue
            plain = _plain_entry(block)
            if plain is None or (extended and not self._extended(plain, extensions)):
                yield self._entry(parse_header(block), extensions)
            else:
                if plain.kind is Kind.FILE:
                    self._left = plain.size
                    self._padding = -plain.size % BLOCK
                yield plain
            if extended:
                extensions, extended = _Extensions(), False

    def pieces(self) -> Iterator[memoryview]:
        """Yield the stored data of the current member in pieces as they arrive."""
        while self._left:
            piece = self._some(self._left)
            self._left -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read to the end of the stream: what follows the archive counts for the digest."""
        while self._refill():
            pass

    def _next_header(self) -> bytes | None:
        start = self._position + self._left + self._padding
        ahead = self._chunk[start : start + BLOCK]
        if len(ahead) == BLOCK and ahead[0]:
            self._position = start + BLOCK
            self._left = self._padding = 0
            return ahead
        self._skip(self._left + self._padding, spare=self._padding)
        self._left = self._padding = 0
        block = self._block_or_end()
        if block is None or block != ZEROES:
            return block
        following = self._block_or_end()
        if following is not None and following != ZEROES:
            raise TarError("a single zero block stands between members")
        return None

    def _block_or_end(self) -> bytes | None:
        end = self._position + BLOCK
        if end <= len(self._chunk):
            block = self._chunk[self._position : end]
            self._position = end
            return block
        if self._position == len(self._chunk) and not self._refill():
            return None
        return self._exactly(BLOCK)

    def _extend(self, block: bytes, extensions: _Extensions) -> None:
        size = plain_size(block[124:136]) if plain_checksum(block) else None
        content = self._content(parse_header(block).size if size is None else size)
        match block[156:157]:
            case b"x" | b"X":
                extensions.records = parse_records(content)
            case b"L":
                extensions.name = content.partition(b"\0")[0]
            case b"K":
                extensions.link = content.partition(b"\0")[0]
        # Global headers and volume labels are ignored, as containerd does by Go's archive/tar.

    def _extended(self, entry: TarEntry, extensions: _Extensions) -> bool:
        """Change a plain entry as what precedes it says; false when it is not so plain after all."""
        if any(key.startswith(b"GNU.") for key in extensions.records):
            return False
        entry.name = extensions.name or entry.name
        entry.link = extensions.link or entry.link
        _apply_records(entry, extensions.records)
        self._check(entry)
        if entry.kind is Kind.FILE:
            return not entry.name.endswith(b"/")
        entry.size = 0
        return True

    def _content(self, size: int) -> bytes:
        if not 0 <= size <= MAX_EXTENSION:
            raise TarError(
                f"extension header of {size} bytes is above the limit of {MAX_EXTENSION}"
            )
        content = self._exactly(size)
        self._skip(-size % BLOCK, spare=-size % BLOCK)
        return content

    def _entry(self, header: RawHeader, extensions: _Extensions) -> TarEntry:
        kind = _KINDS.get(header.typeflag)
        if kind is None:
            raise TarError(f"member type {header.typeflag!r} is not supported")
        entry = TarEntry(
            kind,
            extensions.name or header.name,
            extensions.link or header.linkname,
            header.mode & 0o7777,
            header.uid,
            header.gid,
            header.size,
            header.mtime * 10**9,
            header.devmajor,
            header.devminor,
            _NO_XATTRS,
        )
        if extensions.records:
            _apply_records(entry, extensions.records)
        if kind is Kind.FILE and entry.name.endswith(b"/"):
            entry.kind = Kind.DIRECTORY  # V7 tars have no directory type
        self._check(entry)
        self._open_data(entry, header, extensions.records)
        return entry

    @staticmethod
    def _check(entry: TarEntry) -> None:
        if not (
            0 <= entry.size <= MAX_SIZE and 0 <= entry.uid <= MAX_ID and 0 <= entry.gid <= MAX_ID
        ):
            raise TarError("size or owner is out of range")
        if entry.kind in (Kind.CHARACTER, Kind.BLOCK) and not (
            0 <= entry.major < 1 << 12 and 0 <= entry.minor < 1 << 20
        ):
            raise TarError("device number is out of range")

    def _open_data(self, entry: TarEntry, header: RawHeader, records: dict[bytes, bytes]) -> None:
        if entry.kind is not Kind.FILE:
            entry.size = 0
            return
        self._left = entry.size
        self._padding = -entry.size % BLOCK
        if header.typeflag == b"S":
            segments, real_size = old_gnu_map(header.block, self._exactly)
        elif b"GNU.sparse.major" in records:
            if records[b"GNU.sparse.major"] != b"1" or records.get(b"GNU.sparse.minor") != b"0":
                raise TarError("sparse format is not supported")
            segments, taken = leading_map(self._exactly, self._left)
            self._left -= taken
            real_size = decimal(records.get(b"GNU.sparse.realsize", b""))
        elif b"GNU.sparse.map" in records:
            segments = listed_map(records[b"GNU.sparse.map"])
            real_size = decimal(records.get(b"GNU.sparse.size", b""))
        else:
            return
        entry.segments = checked(segments, self._left, real_size)
        entry.size = real_size

    def _refill(self) -> bool:
        self._passed += len(self._chunk)
        self._chunk = self._source.read_chunk()
        self._position = 0
        return bool(self._chunk)

    def _some(self, limit: int) -> memoryview:
        if self._position == len(self._chunk) and not self._refill():
            raise TarError("archive ends inside a member")
        piece = memoryview(self._chunk)[self._position : self._position + limit]
        self._position += len(piece)
        return piece

    def _exactly(self, size: int) -> bytes:
        end = self._position + size
        if end <= len(self._chunk):
            content = self._chunk[self._position : end]
            self._position = end
            return content
        return b"".join(self._pieces_of(size))

    def _pieces_of(self, size: int) -> Iterator[memoryview]:
        while size:
            piece = self._some(size)
            size -= len(piece)
            yield piece

    def _skip(self, size: int, *, spare: int) -> None:
        """Pass over bytes of which the last `spare` may be missing at the end: not every archiver pads its last member."""
        self._position += size
        while (beyond := self._position - len(self._chunk)) > 0:
            if not self._refill():
                if beyond <= spare:
                    return
                raise TarError("archive ends inside a member")
            self._position = beyond


def _plain_entry(block: bytes) -> TarEntry | None:
    """Read the header of a usual member that nothing precedes, several times as fast as by fields.

    None means that it has to be looked at closely, be it unusual or wrong.
    """
    kind = _PLAIN_KINDS.get(block[156])
    owner, mtime = plain_owner(block[100:124]), plain_time(block[136:148])
    size, name = plain_size(block[124:136]), plain_name(block)
    if kind is None or owner is None or mtime is None or size is None:
        return None
    # The name of a V7 directory ends with a slash, and so may the first part of a longer name.
    if not plain_checksum(block) or (name.endswith(b"/") and kind is Kind.FILE):
        return None
    mode, uid, gid = owner
    if kind is not Kind.FILE:
        size = 0
    return TarEntry(kind, name, plain_link(block), mode, uid, gid, size, mtime, 0, 0, _NO_XATTRS)


_SETTERS: dict[bytes, Callable[[bytes], tuple[str, bytes | int]]] = {
    b"path": lambda value: ("name", value),
    b"GNU.sparse.name": lambda value: ("name", value),
    b"linkpath": lambda value: ("link", value),
    b"size": lambda value: ("size", decimal(value)),
    b"uid": lambda value: ("uid", identity(value)),
    b"gid": lambda value: ("gid", identity(value)),
    b"mtime": lambda value: ("mtime_ns", nanoseconds(value)),
}


def _apply_records(entry: TarEntry, records: dict[bytes, bytes]) -> None:
    for key, value in records.items():
        setter = _SETTERS.get(key)
        if setter and value:  # an empty value takes an earlier one back
            setattr(entry, *setter(value))
    if b"GNU.sparse.name" in records:
        entry.name = records[b"GNU.sparse.name"]
    entry.xattrs = extended_attributes(records)
