"""Count what files take on the disk, as du(1) does: allocated blocks and inodes, hard links once.

Promise: nothing is followed, neither links nor what the tree becomes meanwhile; what vanishes is not counted. Blocking:
about 1 ms per 300 files, which `limit` can bound.
"""

import errno
import os
import stat
from pathlib import Path

from image.host.openat2 import open_directory

_BLOCK = 512
"""Unit of st_blocks whatever the filesystem's is (inode(7))."""
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES)


def allocated(found: os.stat_result) -> int:
    """Return the bytes that a file takes."""
    return found.st_blocks * _BLOCK


def usage_below(top: Path, *, limit: int = 0) -> tuple[int, int]:
    """Return (bytes, inodes) of a directory with all below it, at most `limit` files if that is not 0."""
    try:
        fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return 0, 0
    try:
        return _count(fd, limit)
    finally:
        os.close(fd)


def usage_of_entries(directory: Path, *, without: str = "") -> tuple[int, int]:
    """Return (bytes, inodes) of a directory and its entries, not of what is below those; one name can be left out."""
    used, inodes = allocated(os.lstat(directory)), 1
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name != without:
                used += allocated(entry.stat(follow_symlinks=False))
                inodes += 1
    return used, inodes


def _count(top: int, limit: int) -> tuple[int, int]:
    used, inodes = allocated(os.fstat(top)), 1
    linked: set[int] = set()
    waiting = [b""]
    while waiting:
        place = waiting.pop()
        for name, found in _entries(top, place):
            if stat.S_ISDIR(found.st_mode):
                waiting.append(place + b"/" + name if place else name)
            elif found.st_nlink > 1:
                if found.st_ino in linked:
                    continue
                linked.add(found.st_ino)
            used += allocated(found)
            inodes += 1
            if inodes == limit:
                return used, inodes
    return used, inodes


def _entries(top: int, place: bytes) -> list[tuple[bytes, os.stat_result]]:
    try:
        fd = open_directory(top, place)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return []
    try:
        with os.scandir(fd) as entries:
            return [(os.fsencode(e.name), found) for e in entries if (found := _lstat(e))]
    finally:
        os.close(fd)


def _lstat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None  # removed meanwhile
