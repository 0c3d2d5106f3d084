"""What a worker hands over becomes the store's own before anything of it is looked at.

Promise: the worker is shut out first, then its files are checked, so nothing can change in between: each is plain, has
one name, and is root's; directories are empty and made anew, since one of another user could be a link. Descriptors that
the worker holds end with it.
"""

import os
import stat
from pathlib import Path

from image.errors import Internal

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def take_over(staged: Path, chain_id: str) -> None:
    """Take a staged layer of tar and index from its worker.

    Raises:
        Internal: it is no directory of plain files and empty directories.
    """
    fd = shut_out(staged, chain_id)
    try:
        for name in os.listdir(fd):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                _renew(fd, name, chain_id)
            elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                _own(fd, name)
            else:
                raise Internal(
                    chain_id, f"worker handed over a {name[:64]!r} that is no plain file"
                )
    finally:
        os.close(fd)


def shut_out(staged: Path, chain_id: str) -> int:
    """Close a directory to the worker that made it (security rule H2), and return it open.

    Raises:
        Internal: it is none.
    """
    try:
        fd = os.open(staged, _DIRECTORY)
    except (NotADirectoryError, FileNotFoundError, OSError) as error:
        raise Internal(chain_id, f"worker handed over no directory: {error.strerror}") from error
    _to_root(fd)
    os.fchmod(fd, 0o700)
    return fd


def _own(directory: int, name: str) -> None:
    fd = os.open(name, _FILE, dir_fd=directory)
    try:
        _to_root(fd)
        # The kernel does not lock what it mounts: a write would change containers under their feet.
        os.fchmod(fd, 0o400)
    finally:
        os.close(fd)


def _renew(directory: int, name: str, chain_id: str) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        raise Internal(chain_id, f"worker handed over a full directory {name[:64]!r}") from error
    os.mkdir(name, 0o700, dir_fd=directory)


def _to_root(fd: int) -> None:
    if os.geteuid() == 0:
        os.fchown(fd, 0, 0)
