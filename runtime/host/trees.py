"""Delete a directory of ours by descriptors, without following links or crossing into another mount.

Container processes may still hold and rename what is inside: every step is relative to an open directory (unlinkat(2)),
and the kernel refuses to cross a mount (openat2(2), RESOLVE_NO_XDEV), a bind mount of the same filesystem included.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Protocol

from runtime.host.container_root import (
    RESOLVE_BENEATH,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    open_resolved,
)

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_DEPTH_LIMIT = 100
"""Each level costs a descriptor and a stack frame; what is deeper is moved up before it is removed."""


class _Remove(Protocol):
    def __call__(self, path: str, *, dir_fd: int) -> None: ...


def remove_tree(directory: Path) -> None:
    """Delete `directory` with all below it; gone is success.

    Raises:
        OSError: EXDEV when something is mounted at or below it (nothing of that mount was touched), else as the kernel
            says.
    """
    try:
        parent = os.open(directory.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        found = _lstat(directory.name, parent)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            _remove(parent, directory.name, top=parent, depth=0)
        else:
            os.unlink(directory.name, dir_fd=parent)
    finally:
        os.close(parent)


def _remove(parent: int, name: str, *, top: int, depth: int) -> None:
    try:
        current = open_resolved(parent, name, flags=_FLAGS, resolve=_RESOLVE)
    except FileNotFoundError:
        return
    try:
        # Again until it is empty: a directory that was moved up lands in the topmost one.
        while names := _list(current):
            for child, is_directory in names:
                if not is_directory:
                    _gone_is_success(os.unlink, child, current)
                elif depth < _DEPTH_LIMIT:
                    _remove(current, child, top=current if depth == 0 else top, depth=depth + 1)
                else:
                    os.rename(
                        child, f"deep-{secrets.token_hex(8)}", src_dir_fd=current, dst_dir_fd=top
                    )
    finally:
        os.close(current)
    _gone_is_success(os.rmdir, name, parent)


def _list(descriptor: int) -> list[tuple[str, bool]]:
    with os.scandir(descriptor) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _gone_is_success(remove: _Remove, name: str, parent: int) -> None:
    try:
        remove(name, dir_fd=parent)
    except FileNotFoundError:
        return


def _lstat(name: str, parent: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
