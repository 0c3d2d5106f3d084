"""Open files below a root that others control, without ever leaving it (openat2(2), Linux 5.6).

The kernel resolves the whole path inside the root, so there is no moment between check and use: absolute links and `..`
stay inside, magic links (/proc/PID/root and the like) are refused. Only regular files are opened, and read up to a limit: a FIFO or a device is found and refused, never opened (security
rules E2, J1).
"""

import ctypes
import errno
import os
import stat
from pathlib import Path

from runtime.errors import InvalidArgument
from runtime.host.system_call import OPENAT2, kernel_call

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_RETRIES = 64
"""openat2 answers EAGAIN when something was renamed during the walk; a racing container must not win by that."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_resolved(directory: int, name: str, *, flags: int, resolve: int, mode: int = 0) -> int:
    """Call openat2, again when the walk was disturbed; the descriptor is closed on exec.

    Raises:
        OSError: as openat2; ELOOP for a magic or forbidden link, EXDEV for leaving the root.
    """
    how = bytes(_OpenHow(flags | os.O_CLOEXEC, mode, resolve))
    for _ in range(_RETRIES - 1):
        try:
            return kernel_call(OPENAT2, directory, os.fsencode(name), how, len(how))
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
    return kernel_call(OPENAT2, directory, os.fsencode(name), how, len(how))


def open_directory(path: Path) -> int:
    """Open a directory of ours as a starting point."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def read_below(root: Path, name: str, limit: int) -> bytes | None:
    """Return a regular file's content below `root`; None when there is none.

    Raises:
        InvalidArgument: it is another kind of file, larger than `limit`, or only reachable by a forbidden link.
        OSError: `root` cannot be opened, or reading failed.
    """
    if "\0" in name or len(name) > 4095:
        raise InvalidArgument("file in the container", "has no valid name", reason="BadPath")
    directory = open_directory(root)
    try:
        descriptor = _open_file(directory, name)
    finally:
        os.close(directory)
    if descriptor is None:
        return None
    try:
        return _read_regular(descriptor, name, limit)
    finally:
        os.close(descriptor)


def _open_file(directory: int, name: str) -> int | None:
    try:
        # O_PATH: only found, not opened. Merely opening a device may start something (a watchdog, a tape).
        return open_resolved(
            directory, name, flags=os.O_PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        if error.errno in (errno.ELOOP, errno.EXDEV, errno.ENXIO, errno.EACCES, errno.EPERM):
            cause = f"cannot be opened: {(error.strerror or '').lower()}"
            raise InvalidArgument(_subject(name), cause, reason="ForbiddenFile") from error
        raise


def _read_regular(descriptor: int, name: str, limit: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise InvalidArgument(_subject(name), "is not a regular file", reason="ForbiddenFile")
    if found.st_size > limit:
        raise InvalidArgument(
            _subject(name), f"is larger than {limit} bytes", reason="FileTooLarge"
        )
    # The same file and no other, for the descriptor names it (proc_pid_fd(5)).
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:
        content = file.read(limit + 1)
    # The size was only a hint: the file may have grown meanwhile.
    if len(content) > limit:
        raise InvalidArgument(
            _subject(name), f"is larger than {limit} bytes", reason="FileTooLarge"
        )
    return content


def _subject(name: str) -> str:
    return f"file {name[:200]} in the container"
