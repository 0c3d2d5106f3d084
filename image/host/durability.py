"""Make what was written survive a power cut.

Promise: when a call returns, the bytes (or the name) are on stable storage. Never retries a failed fsync: after an
error the kernel may have dropped the pages (fsync(2), NOTES), so the caller must give up what it wrote.
"""

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def sync_filesystem(fd: int) -> None:
    """Flush the whole filesystem of `fd` (syncfs(2)): one call instead of one fsync per extracted file."""
    if _libc.syncfs(ctypes.c_int(fd)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def start_writeback(fd: int, position: int = 0, size: int = 0) -> None:
    """Have the disk begin with a part of a file (0 bytes: all that follows); a hint, nothing is waited for.

    sync_file_range(2) with SYNC_FILE_RANGE_WRITE; filesystems that lack it lose nothing but time.
    """
    _libc.sync_file_range(
        ctypes.c_int(fd), ctypes.c_int64(position), ctypes.c_int64(size), ctypes.c_uint(2)
    )


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that it is there whole or not at all.

    A rest of an interrupted attempt under the temporary name is overwritten.
    """
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)
    sync_directory(path.parent)
