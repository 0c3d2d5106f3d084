"""Make the tiny layer with which the way of showing layers is tried at start.

Promise: it goes the whole way of a real layer, parser and index writer included, and depends on nothing outside.
"""

import os

from image.host.mount_probe import Sample
from image.store.erofs.erofs_image import write_index
from image.store.erofs.tar_index import TarIndex
from image.store.tar_stream import TarStream
from image.store.unpack_tar import UnpackLimits

_NAME = "sample"
_CONTENT = bytes(range(256)) * 256


def make_sample() -> Sample:
    """Return the layer."""
    tar = _header(_NAME.encode(), len(_CONTENT)) + _CONTENT + bytes(1024)
    index = TarIndex(UnpackLimits())
    index.run(TarStream(_Whole(tar)))
    fd = os.memfd_create("index", os.MFD_CLOEXEC)
    try:
        size = write_index(index.nodes.root, fd, len(tar) // 512)
        content = os.pread(fd, size, 0)
    finally:
        os.close(fd)
    return Sample(index=content, tar=tar, name=_NAME, content=_CONTENT)


class _Whole:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read_chunk(self) -> bytes:
        content, self._content = self._content, b""
        return content


def _header(name: bytes, size: int) -> bytes:
    """Return a ustar header (POSIX.1-1988)."""
    fields = b"%-100b%07o\0%07o\0%07o\0%011o\0%011o\0" % (b"", 0o644, 0, 0, size, 0)
    block = bytearray((fields + b" " * 8 + b"0").ljust(257, b"\0") + b"ustar\x0000")
    block[: len(name) + 1] = name + b"\0"
    block += bytes(512 - len(block))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
