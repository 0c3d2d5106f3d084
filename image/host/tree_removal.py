"""Remove an untrusted directory tree of any depth with a bounded number of open files and no recursion.

Promise: only what lies below the given directory is removed; links are removed, not followed. Never needs memory
or descriptors that grow with depth: below some levels a subdirectory is first moved up to the top (rename keeps its
content), then emptied there. Safe to repeat after an interruption.
"""

import contextlib
import os
import secrets
from dataclasses import dataclass
from itertools import count

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LEVELS = 32
"""Directories that are open at a time. Moving one costs several times what emptying it in place does."""


@dataclass(frozen=True, slots=True)
class _Level:
    """An open directory without files, and its subdirectories that are left."""

    fd: int
    name: bytes
    """In the directory above."""
    waiting: list[bytes]


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
    levels = [_Level(top, b"", _unlink_files(top))]
    try:
        while True:
            level = levels[-1]
            if level.waiting and len(levels) >= _LEVELS:
                levels[0].waiting.append(_move_up(top, level.fd, level.waiting.pop(), next(fresh)))
            elif level.waiting:
                name = level.waiting.pop()
                fd = _open_for_removal(level.fd, name)
                levels.append(_Level(fd, name, []))
                levels[-1].waiting.extend(_unlink_files(fd))
            elif len(levels) == 1:
                return
            else:
                levels.pop()
                os.close(level.fd)
                os.rmdir(level.name, dir_fd=levels[-1].fd)
    finally:
        for level in levels[1:]:
            os.close(level.fd)


def _unlink_files(fd: int) -> list[bytes]:
    """Unlink the files of one directory and return the names of its subdirectories."""
    with os.scandir(fd) as entries:
        listed = [
            (entry.inode(), os.fsencode(entry.name), entry.is_dir(follow_symlinks=False))
            for entry in entries
        ]
    # In order of their inodes, which lie side by side on the disk; a directory lists them by hash (ext4).
    listed.sort()
    for _, name, is_directory in listed:
        if not is_directory:
            os.unlink(name, dir_fd=fd)
    return [name for _, name, is_directory in reversed(listed) if is_directory]


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
