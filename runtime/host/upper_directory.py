"""Make the writable layer of an overlay look like the root below it: overlayfs shows the topmost one's attributes.

Promise: a new directory gets mode, owner, time and the attributes that mean something to a container; one that is there
already is left as it is, since a container may have changed its root. Never copies what steers overlayfs or a security
module of the host.
"""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")


def make_upper(upper: Path, below: Path, fill: Callable[[], None]) -> None:
    """Make `upper` like `below`, the topmost lower directory; `fill` makes what must be in it before.

    Raises:
        OSError: one of them cannot be used.
    """
    try:
        os.mkdir(upper, 0o700)
    except FileExistsError:
        fill()
        return
    fill()  # first: it changes the time
    source = os.open(below, _DIRECTORY)
    try:
        target = os.open(upper, _DIRECTORY)
        try:
            _copy_attributes(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_attributes(source: int, target: int) -> None:
    found = os.fstat(source)
    if os.geteuid() == 0:
        os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    for name in _extended(source):
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            # Writable layers may lie on a filesystem that has no user attributes or ACLs.
            if error.errno != errno.EOPNOTSUPP:
                raise
    os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))


def _extended(source: int) -> list[str]:
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return []
    return [name for name in names if _means_something(name)]


def _means_something(name: str) -> bool:
    return name in _KEPT or (name.startswith("user.") and not name.startswith("user.overlay."))
