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
        while (block := self._next_header()) is not None:
            header = parse_header(block)
            if header.typeflag in b"xXgLKV" and self._extend(header, extensions):
                continue
            yield self._entry(header, extensions)
            if extensions.records or extensions.name or extensions.link:
                extensions = _Extensions()

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
        self._skip(self._left + self._padding)
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

    def _extend(self, header: RawHeader, extensions: _Extensions) -> bool:
        content = self._content(header.size)
        match header.typeflag:
            case b"x" | b"X":
                extensions.records = parse_records(content)
            case b"L":
                extensions.name = content.partition(b"\0")[0]
            case b"K":
                extensions.link = content.partition(b"\0")[0]
        # Global headers and volume labels are ignored, as containerd does by Go's archive/tar.
        return True

    def _content(self, size: int) -> bytes:
        if not 0 <= size <= MAX_EXTENSION:
            raise TarError(
                f"extension header of {size} bytes is above the limit of {MAX_EXTENSION}"
            )
        content = self._exactly(size)
        self._skip(-size % BLOCK)
        return content

    def _entry(self, header: RawHeader, extensions: _Extensions) -> TarEntry:
        kind = _KINDS.get(header.typeflag)
        if kind is None:
            raise TarError(f"member type {header.typeflag!r} is not supported")
        name = extensions.name or header.name
        if kind is Kind.FILE and name.endswith(b"/"):
            kind = Kind.DIRECTORY  # V7 tars have no directory type
        entry = TarEntry(
            kind,
            name,
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

    def _skip(self, size: int) -> None:
        self._position += size
        while (beyond := self._position - len(self._chunk)) > 0:
            if not self._refill():
                if beyond < BLOCK and self._left == 0:
                    return  # the very last padding may be missing
                raise TarError("archive ends inside a member")
            self._position = beyond


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
