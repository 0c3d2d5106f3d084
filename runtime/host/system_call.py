"""Call the C library and the kernel by ctypes; turn errno into OSError and OSError into our errors.

Everything else in this package goes through here. It knows numbers and argument forms, never what a call is for. ctypes
releases the GIL during a call, so a slow one holds only its own thread.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PodRuntimeError,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

# Since 424 the numbers are the same on every architecture (include/uapi/asm-generic/unistd.h).
OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
OPENAT2 = 437

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None
"""What a call may be given: numbers, NUL-ended strings, buffers, a null pointer."""


def libc_call(name: str, *arguments: Argument) -> int:
    """Call a function of the C library that answers -1 and errno on failure.

    Raises:
        OSError: it failed.
    """
    result: int = getattr(_LIBC, name)(*map(_argument, arguments))
    if result == -1:
        raise _os_error(ctypes.get_errno(), name)
    return result


def kernel_call(number: int, *arguments: Argument) -> int:
    """Call the kernel by number.

    Raises:
        OSError: it failed.
    """
    result: int = _LIBC.syscall(ctypes.c_long(number), *map(_argument, arguments))
    if result == -1:
        raise _os_error(ctypes.get_errno(), f"system call {number}")
    return result


def _argument(
    value: Argument,
) -> ctypes.c_long | ctypes.c_char_p | ctypes.Array[ctypes.c_char]:
    # Variadic functions take what a register holds: an int must fill all 64 bits of it.
    if isinstance(value, int):
        return ctypes.c_long(value)
    if value is None or isinstance(value, bytes):
        return ctypes.c_char_p(value)
    return value


def _os_error(number: int, name: str) -> OSError:
    return OSError(number, f"{name}: {os.strerror(number)}")


_CLASSES: tuple[tuple[type[PodRuntimeError], str, tuple[int, ...]], ...] = (
    (NotFound, "NotFound", (errno.ENOENT, errno.ESRCH, errno.ENXIO, errno.ENODEV)),
    (AlreadyExists, "AlreadyExists", (errno.EEXIST,)),
    (
        ResourceExhausted,
        "ResourceExhausted",
        (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
    ),
    (InvalidArgument, "BadPath", (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)),
    (FailedPrecondition, "Refused", (errno.EPERM, errno.EACCES, errno.EROFS, errno.EBUSY)),
    (Unimplemented, "KernelTooOld", (errno.ENOSYS, errno.EOPNOTSUPP)),
    (DeadlineExceeded, "TimedOut", (errno.ETIMEDOUT,)),
    (Unavailable, "InputOutput", (errno.EIO, errno.ESTALE, errno.EHOSTDOWN, errno.EINTR)),
)

_REMEDIES = {
    errno.EPERM: "run as root with CAP_SYS_ADMIN",
    errno.ENOSPC: "free disk space, inodes or the kernel limit behind it",
    errno.EMFILE: "raise LimitNOFILE of the service",
    errno.ENOSYS: "use a newer kernel",
}


def error_of(error: OSError, subject: str, *, remedy: str = "") -> PodRuntimeError:
    """Return the error of ours that tells an OSError, for `raise ... from`."""
    cause = error.strerror or str(error)
    chosen_remedy = remedy or _REMEDIES.get(error.errno or 0, "")
    for chosen, reason, numbers in _CLASSES:
        if error.errno in numbers:
            return chosen(subject, cause.lower(), remedy=chosen_remedy, reason=reason)
    return Internal(subject, cause.lower(), remedy=chosen_remedy, reason="SystemCall")


@contextmanager
def told_as(subject: str, *, remedy: str = "") -> Iterator[None]:
    """Turn an OSError from inside into an error of ours about `subject`."""
    try:
        yield
    except OSError as error:
        raise error_of(error, subject, remedy=remedy) from error
