"""Remove an untrusted directory tree of any depth with a bounded number of open files and no recursion.

Promise: only what lies below the given directory is removed; links are removed, not followed. Never needs memory
or descriptors that grow with depth: a subdirectory is first moved up to the top (rename keeps its content), then
emptied there. Safe to repeat after an interruption.
"""

import contextlib
import os
import secrets
from collections import deque
from collections.abc import Iterator
from itertools import count

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent_fd: int, name: bytes) -> None:
    """Remove `name` below `parent_fd`, whatever it is; absence is fine.

    Raises:
        OSError: something below could not be removed; a repeated call goes on from there.
    """
    with contextlib.suppress(FileNotFoundError):
        try:
            top = _open_for_removal(parent_fd, name)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            os.unlink(name, dir_fd=parent_fd)
            return
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=parent_fd)


def _empty(top: int) -> None:
    # Names that the image cannot have guessed: a rename must not meet one of its own directories.
    token = secrets.token_hex(8)
    fresh = (f"removed-{token}-{number}".encode() for number in count())
    waiting = deque(_clear(top, top, fresh))
    while waiting:
        name = waiting.popleft()
        fd = _open_for_removal(top, name)
        try:
            waiting.extend(_clear(top, fd, fresh))
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=top)


def _clear(top: int, fd: int, fresh: Iterator[bytes]) -> list[bytes]:
    """Unlink the files of one directory and move its subdirectories to the top; return their names there."""
    with os.scandir(fd) as entries:
        listed = [
            (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries
        ]
    moved = []
    for name, is_directory in listed:
        if not is_directory:
            os.unlink(name, dir_fd=fd)
        elif fd == top:
            moved.append(name)
        else:
            moved.append(_move_up(top, fd, name, next(fresh)))
    return moved


def _move_up(top: int, fd: int, name: bytes, target: bytes) -> bytes:
    if os.geteuid() != 0:
        # Moving a directory rewrites its `..`, for which others than root need write permission on it.
        os.chmod(name, 0o700, dir_fd=fd)
    os.rename(name, target, src_dir_fd=fd, dst_dir_fd=top)
    return target


def _open_for_removal(parent_fd: int, name: bytes) -> int:
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent_fd)  # only met when not root; a link would be ELOOP
        fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
    if os.geteuid() != 0:
        os.fchmod(fd, 0o700)
    return fd
