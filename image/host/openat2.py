"""Open files below a root directory so that no link in an untrusted tree leads out of it.

Promise: every path is resolved by the kernel with openat2(2) inside the given root, magic links never followed.
Never opens by joined path strings, never follows a link in the last component unless asked. Linux 5.6 or later.
"""

import ctypes
import os

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10

# openat2(2): the number is the same on every architecture (asm-generic, and x86_64's own table).
_SYS_OPENAT2 = 437

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class _OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_SIZE = ctypes.c_size_t(ctypes.sizeof(_OpenHow))


def open_in_root(root_fd: int, path: bytes, flags: int, *, links: bool = True) -> int:
    """Open `path` as if `root_fd` were `/`; the last component is never followed.

    With `links` false any symbolic link on the way is ELOOP, so success proves that `path` is canonical.

    Raises:
        OSError: as openat2(2) does; ELOOP, ENOENT and ENOTDIR are the usual ones.
    """
    resolve = RESOLVE_IN_ROOT | (RESOLVE_NO_MAGICLINKS if links else RESOLVE_NO_SYMLINKS)
    how = _OpenHow(flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0, resolve)
    while True:
        fd = int(
            _syscall(
                ctypes.c_long(_SYS_OPENAT2),
                ctypes.c_int(root_fd),
                ctypes.c_char_p(path or b"."),
                ctypes.byref(how),
                _SIZE,
            )
        )
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        # EAGAIN: a rename elsewhere raced with `..` handling (openat2(2)); the caller should try again.
        if code not in (4, 11):
            raise OSError(code, os.strerror(code), os.fsdecode(path))


def open_directory(root_fd: int, path: bytes) -> int:
    """Open the directory at a canonical path for reading; a link anywhere is ELOOP."""
    return open_in_root(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, links=False)


def stat_canonical(root_fd: int, path: bytes) -> os.stat_result:
    """Stat what is at a canonical path, the last component not followed.

    Raises:
        OSError: ENOENT when absent, ENOTDIR or ELOOP when a parent is a file, a whiteout or a link.
    """
    fd = open_in_root(root_fd, path, os.O_PATH, links=False)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
