"""The kernel's mount interface, as far as layers need it: fsopen(2) and its kin, umount2(2).

Promise: what is made is always read-only, nosuid, nodev and noexec; a mount point's last part is never followed; each
call does one thing or raises OSError with the kernel's reason. Keeps no list of mounts: the kernel's own is asked.
"""

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

# Since 424 the numbers are the same on every architecture (include/uapi/asm-generic/unistd.h).
_MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 429, 430, 431, 432
_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_RDONLY_NOSUID_NODEV_NOEXEC = 1 | 2 | 4 | 8
_F_EMPTY_PATH = 4
_AT_FDCWD = -100
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_MANY = 64

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def mount_filesystem(kind: str, options: Iterable[tuple[str, str]], target: Path) -> None:
    """Mount a new filesystem at a directory.

    Raises:
        OSError: the kernel refused; its own words, if it has any, are in the message.
    """
    context = _call(_FSOPEN, kind.encode(), _CLOEXEC)
    try:
        _call(_FSCONFIG, context, _SET_FLAG, b"ro", None, 0)
        for key, value in options:
            _call(_FSCONFIG, context, _SET_STRING, key.encode(), os.fsencode(value), 0)
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        mounted = _call(_FSMOUNT, context, _CLOEXEC, _RDONLY_NOSUID_NODEV_NOEXEC)
    except OSError as error:
        raise OSError(error.errno, _explained(context, error)) from error
    finally:
        os.close(context)
    try:
        _call(_MOVE_MOUNT, mounted, b"", _AT_FDCWD, os.fsencode(target), _F_EMPTY_PATH)
    finally:
        os.close(mounted)


def _explained(context: int, error: OSError) -> str:
    """Add what the kernel wrote to the context, a line `e MESSAGE` (fsopen(2))."""
    try:
        said = os.read(context, 1024).decode("utf-8", "replace").strip()
    except OSError:
        said = ""
    return f"{error.strerror}: {said[2:]}" if said else str(error.strerror)


def unmount(target: Path) -> None:
    """Unmount until the directory is no mount point; users keep what they have open. Absence is fine."""
    for _ in range(_MANY):
        if _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
            code = ctypes.get_errno()
            if code in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
                return
            raise OSError(code, os.strerror(code), str(target))


def mount_points_below(directory: Path) -> tuple[Path, ...]:
    """Return what is mounted at or below a directory, last mounted first."""
    wanted = os.fsencode(os.path.realpath(directory))
    found = []
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            place = _unescaped(line.split(b" ", 5)[4])
            if place == wanted or place.startswith(wanted + b"/"):
                found.append(Path(os.fsdecode(place)))
    return tuple(reversed(found))


def _unescaped(field: bytes) -> bytes:
    # Space, tab, newline and backslash are written as three octal digits (proc_pid_mountinfo(5)).
    head, *parts = field.split(b"\\")
    return head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in parts)


def _call(number: int, *arguments: int | bytes | None) -> int:
    converted = (
        ctypes.c_char_p(each) if isinstance(each, bytes | None) else ctypes.c_long(each)
        for each in arguments
    )
    result = int(_libc.syscall(ctypes.c_long(number), *converted))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
