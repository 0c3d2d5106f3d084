"""Write an extracted layer as a tar again: the same files, with its deletions as `.wh.` members.

Promise: the tree is read below its root descriptor, no link in it is followed, and no device or pipe is opened. The
same tree gives the same bytes, so that its digest can be taken in a first pass. Holes of sparse files are written out.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from image.errors import FailedPrecondition
from image.host.openat2 import open_directory
from image.store.pax_records import is_allowed
from image.store.tar_members import HARD_LINK, Member, member_header, type_of
from image.store.whiteouts import PREFIX

_CHUNK = 1 << 20
_OPAQUE_MARK = b".wh..wh..opq"
_OPAQUE_NAMES = ("trusted.overlay.opaque", "user.overlay.opaque")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TreeTar:
    """One extracted layer as a tar."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first: dict[tuple[int, int], bytes] = {}

    def pieces(self) -> Iterator[bytes]:
        """Yield the tar from its begin to its end mark; may be asked again.

        Raises:
            OSError: the tree cannot be read.
            FailedPrecondition: a file changed its size meanwhile.
        """
        self._first = {}
        root_fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            waiting = [b""]
            while waiting:
                path = waiting.pop()
                below: list[bytes] = []
                yield from self._directory(root_fd, path, below)
                waiting += reversed(below)
        finally:
            os.close(root_fd)
        yield bytes(1024)

    def _directory(self, root_fd: int, path: bytes, below: list[bytes]) -> Iterator[bytes]:
        fd = open_directory(root_fd, path)
        try:
            attributes = _attributes(fd)
            yield _member(path + b"/" if path else b"./", os.fstat(fd), attributes)
            prefix = path + b"/" if path else b""
            if _is_opaque(fd):
                yield _empty(prefix + _OPAQUE_MARK)
            for name in sorted(os.fsencode(entry) for entry in os.listdir(fd)):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    below.append(prefix + name)
                else:
                    yield from self._file(fd, name, prefix, status)
        finally:
            os.close(fd)

    def _file(
        self, directory: int, name: bytes, prefix: bytes, status: os.stat_result
    ) -> Iterator[bytes]:
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            yield _empty(prefix + PREFIX + name)
            return
        path = prefix + name
        key = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and key in self._first:
            yield _linked(path, self._first[key], status)
            return
        if status.st_nlink > 1:
            self._first[key] = path
        if stat.S_ISREG(status.st_mode):
            yield from _regular(directory, name, path, status)
        elif stat.S_ISLNK(status.st_mode):
            link = os.readlink(name, dir_fd=directory)
            yield _member(path, status, {}, link=link)
        elif type_of(status.st_mode):
            yield _member(path, status, {})


def _regular(directory: int, name: bytes, path: bytes, status: os.stat_result) -> Iterator[bytes]:
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        yield _member(path, status, _attributes(fd))
        left = status.st_size
        while left and (piece := os.read(fd, min(_CHUNK, left))):
            left -= len(piece)
            yield piece
        if left:
            raise FailedPrecondition(os.fsdecode(path), "became shorter while it was read")
        if status.st_size % 512:
            yield bytes(-status.st_size % 512)
    finally:
        os.close(fd)


def _member(
    path: bytes, status: os.stat_result, xattrs: dict[str, bytes], *, link: bytes = b""
) -> bytes:
    is_device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    return member_header(
        Member(
            name=path,
            type=type_of(status.st_mode),
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
            mtime_ns=status.st_mtime_ns,
            link=link,
            major=os.major(status.st_rdev) if is_device else 0,
            minor=os.minor(status.st_rdev) if is_device else 0,
            xattrs=xattrs,
        )
    )


def _linked(path: bytes, target: bytes, status: os.stat_result) -> bytes:
    mode = stat.S_IMODE(status.st_mode)
    return member_header(
        Member(
            name=path,
            type=HARD_LINK,
            link=target,
            mode=mode,
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
        )
    )


def _empty(path: bytes) -> bytes:
    return member_header(Member(name=path, type=b"0", mode=0o600))


def _attributes(fd: int) -> dict[str, bytes]:
    """Return what a layer may have; the host's own, a security label for example, are no part of it."""
    return {name: os.getxattr(fd, name) for name in sorted(os.listxattr(fd)) if is_allowed(name)}


def _is_opaque(fd: int) -> bool:
    for name in _OPAQUE_NAMES:
        with contextlib.suppress(OSError):
            if os.getxattr(fd, name) == b"y":
                return True
    return False
