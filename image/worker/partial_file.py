"""The file that keeps a blob's compressed bytes while it is downloaded, so that another attempt can go on from there.

Promise: only a regular file of its own name in the given directory is read or written; what is found under the name and
cannot be right is deleted. Failing to keep bytes never fails a download: the file is given up. Nothing is flushed: what
a power cut damages, the blob's digest finds.
"""

import contextlib
import os
import stat
from pathlib import Path

from image.model.descriptor import Descriptor
from image.store.partial_blobs import partial_name

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LAYER_TIMES = 3
"""How much larger than its blob a layer usually is; where both may not fit, no file is kept beside the layer."""


class PartialFile:
    """An open file; its length only grows."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd
        self.length = os.fstat(fd).st_size

    def append(self, piece: bytes) -> bool:
        """Keep a piece; False, and the file's name is gone, when that cannot be: the disk is full or broken."""
        rest = memoryview(piece)
        try:
            while rest:
                count = os.pwrite(self._fd, rest, self.length)
                self.length += count
                rest = rest[count:]
        except OSError:
            self.discard()
            return False
        return True

    def read(self, position: int, size: int) -> bytes:
        """Return bytes from a position; nothing beyond the end."""
        return os.pread(self._fd, size, position)

    def discard(self) -> None:
        """Delete the file, whose bytes are wrong or in the way; what is open can still be read."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Close the file, which stays for others. Repeating it is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_partial(directory: Path, blob: Descriptor) -> PartialFile | None:
    """Open or make the file of a blob; None when there can be none, or no room for it beside the layer."""
    path = directory / partial_name(blob.digest)
    try:
        file = PartialFile(path, _open(path, blob.size))
    except OSError:
        return None
    missing = blob.size - file.length
    if missing and _free_bytes(directory) < missing + _LAYER_TIMES * blob.size:
        file.discard()
        file.close()
        return None
    return file


def _open(path: Path, size: int) -> int:
    with contextlib.suppress(OSError):
        fd = os.open(path, _FLAGS, 0o600)
        about = os.fstat(fd)
        if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 and about.st_size <= size:
            return fd
        os.close(fd)
    path.unlink()  # too long, a link, or not ours to open
    return os.open(path, _FLAGS | os.O_EXCL, 0o600)


def _free_bytes(directory: Path) -> int:
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize
