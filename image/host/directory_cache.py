"""Keep the directories of a growing tree open, so that one entry costs no path walk.

Promise: every descriptor lies below the root and knows its canonical path. Never more than a few hundred are open.
Whoever removes a directory or a link must `clear` the cache: descriptors may have been reached through it.
"""

import errno
import os
from dataclasses import dataclass

from image.host.openat2 import open_in_root

_FLAGS = os.O_PATH | os.O_DIRECTORY
_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Directory:
    """An open directory (O_PATH) and where it really lies."""

    fd: int
    path: bytes

    def child(self, name: bytes) -> bytes:
        """Return the canonical path of an entry."""
        return self.path + b"/" + name if self.path else name


class DirectoryCache:
    """Open directories by the path they were asked by."""

    def __init__(self, root_fd: int) -> None:
        self._root = Directory(root_fd, b"")
        # The place of the root itself, to cut it off what /proc says of directories below (proc_pid_fd(5)).
        self._place = _place_of(root_fd)
        self._open: dict[bytes, Directory] = {}

    def find(self, path: bytes) -> Directory | None:
        """Return a cached directory without a system call."""
        if not path:
            return self._root
        return self._open.get(path)

    def open(self, path: bytes) -> Directory:
        """Open a directory, links on the way resolved inside the root.

        Raises:
            OSError: ENOENT when it or a parent is missing, ENOTDIR when something else is in the way.
        """
        found = self.find(path)
        if found is not None:
            return found
        directory = self._open_anew(path)
        while len(self._open) >= _LIMIT:
            os.close(
                self._open.pop(next(iter(self._open))).fd
            )  # the oldest: dicts keep their order
        self._open[path] = directory
        return directory

    def _open_anew(self, path: bytes) -> Directory:
        try:
            return Directory(open_in_root(self._root.fd, path, _FLAGS, links=False), path)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        # A link is on the way, or is itself the last component: a trailing slash has it followed.
        fd = open_in_root(self._root.fd, path + b"/", _FLAGS)
        return Directory(fd, _place_of(fd)[len(self._place) + 1 :])

    def clear(self) -> None:
        """Close everything but the root."""
        for directory in self._open.values():
            os.close(directory.fd)
        self._open.clear()


def _place_of(fd: int) -> bytes:
    return os.readlink(b"/proc/self/fd/%d" % fd)
