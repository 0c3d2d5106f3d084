"""Turn a layer's blob into its tar: gzip by ISA-L, zstd, or none, told by the first bytes.

Promise: output comes in bounded pieces however well the input was packed, so a bomb costs time, not memory; several
gzip members or zstd frames in a row are one stream, as RFC 1952 and RFC 8878 have it. The media type is not asked:
registries hold layers whose type is wrong, and every other runtime goes by the bytes.
"""

from collections.abc import Callable
from typing import IO, cast

import zstandard
from isal import igzip_lib

from image.store.tar_stream import ByteSource

CHUNK = 512 * 1024
"""Few enough hand-overs between threads, and what was written is still in the core's cache when it is hashed."""
_ZSTD_CHUNK = 256 * 1024
"""zstd makes larger pieces more slowly: they leave the cache while they are made."""
# The stub declares the class as an instance, so its type cannot be named directly.
_ISAL_ERROR: type[Exception] = vars(igzip_lib)["IsalError"]
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW = 128 * 1024 * 1024
"""Memory that a zstd frame may ask for: what `zstd --ultra -22` needs, and the limit of the zstd program."""


class InflateError(ValueError):
    """The compressed stream is malformed or cut off."""


class _Rewound:
    """A source with a first piece put back."""

    def __init__(self, first: bytes, source: ByteSource) -> None:
        self._first = first
        self._source = source

    def read_chunk(self) -> bytes:
        first, self._first = self._first, b""
        return first or self._source.read_chunk()


class _File:
    """A source in the form that the zstd reader wants: it reads, and nothing else."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        chunk = self._rest or self._source.read_chunk()
        self._rest = chunk[size:]
        return chunk[:size]


def inflated(source: ByteSource) -> ByteSource:
    """Return a source of the uncompressed bytes of `source`."""
    head = source.read_chunk()
    while len(head) < len(_ZSTD_MAGIC) and (more := source.read_chunk()):
        head += more
    rewound = _Rewound(head, source)
    if head.startswith(_GZIP_MAGIC):
        return _Gzip(rewound)
    if head.startswith(_ZSTD_MAGIC) or _is_skippable(head):
        return _Zstd(rewound)
    return rewound


def _is_skippable(head: bytes) -> bool:
    # RFC 8878, 3.1.2: 0x184D2A50 to 0x184D2A5F; zstd:chunked layers may begin with one.
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


class _Gzip:
    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    def read_chunk(self) -> bytes:
        while True:
            if self._member.eof and not self._next_member():
                return b""
            feed = b""
            if self._member.needs_input and not (feed := self._source.read_chunk()):
                raise InflateError("gzip stream is cut off")
            if output := self._inflate(feed):
                return output

    def _inflate(self, feed: bytes) -> bytes:
        try:
            return self._member.decompress(feed, CHUNK)
        except (_ISAL_ERROR, EOFError, ValueError) as error:
            raise InflateError(f"gzip stream is damaged: {error}") from error

    def _next_member(self) -> bool:
        rest = self._member.unused_data or self._source.read_chunk()
        if not rest:
            return False
        self._source = _Rewound(rest, self._source)
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return True


class _Zstd:
    def __init__(self, source: ByteSource) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._read: Callable[[int], bytes] = decompressor.stream_reader(
            cast(IO[bytes], _File(source)),
            read_size=_ZSTD_CHUNK,
            read_across_frames=True,
        ).read

    def read_chunk(self) -> bytes:
        try:
            return self._read(_ZSTD_CHUNK)
        except zstandard.ZstdError as error:
            raise InflateError(f"zstd stream is damaged: {error}") from error
