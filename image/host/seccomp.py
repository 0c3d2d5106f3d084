"""Take system calls from a process that it will never need, by a seccomp filter (seccomp(2)).

Promise: after `forbid_calls` this thread, and what it starts, makes no socket but of the Internet and netlink, so that it
cannot talk to daemons of this host through their socket files, whatever user it is; and it starts no program, traces,
mounts or enters nothing. A forbidden call fails with an error and ends nothing. Needs no privilege but no-new-privileges.
Other threads are not bound: call it in the only one.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Mapping

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD_WORD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Places in struct seccomp_data; both machines below are little-endian, so an argument begins with its lower half."""
_X32 = 0x40000000
"""Where a second table of calls begins on x86-64."""

DOMAINS = (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
"""Netlink is how the C library learns which addresses this host has."""

# execve, execveat, ptrace, process_vm_readv, process_vm_writev, mount, umount2, bpf, unshare, setns, open_by_handle_at,
# perf_event_open, userfaultfd, add_key, keyctl; then io_uring_setup, whose requests no filter sees, and pidfd_getfd
_TABLES: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        41,
        (59, 322, 101, 310, 311, 165, 166, 321, 272, 308, 304, 298, 323, 248, 250, 425, 438),
    ),
    "aarch64": (
        0xC00000B7,
        198,
        (221, 281, 117, 270, 271, 40, 39, 280, 97, 268, 265, 241, 282, 217, 219, 425, 438),
    ),
}
"""Per machine: its AUDIT_ARCH, the number of socket(2), and the numbers of forbidden calls."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    """The C structure sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_calls() -> bool:
    """Install the filter; False where there is no table for this machine or the kernel has no filters."""
    table = _TABLES.get(os.uname().machine)
    if table is None:
        return False
    code = _program(*table)
    program = _Program(len(code) // 8, code)
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0:
        return True
    failure = ctypes.get_errno()
    if failure == errno.EINVAL:
        return False
    raise OSError(failure, f"seccomp: {os.strerror(failure)}")


def _program(architecture: int, socket_call: int, forbidden: tuple[int, ...]) -> bytes:
    refuse = _step(_RETURN, _ERRNO | errno.EPERM)
    steps = [
        # Another table of calls is entered by no library that a worker uses.
        _step(_LOAD_WORD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, 1, 0),
        refuse,
        _step(_LOAD_WORD, _NUMBER),
        _step(_IF_AT_LEAST, _X32, 0, 1),
        refuse,
    ]
    for number in forbidden:
        steps += [_step(_IF_EQUAL, number, 0, 1), refuse]
    steps += [
        _step(_IF_EQUAL, socket_call, 1, 0),
        _step(_RETURN, _ALLOW),
        _step(_LOAD_WORD, _FIRST_ARGUMENT),
    ]
    for domain in DOMAINS:
        steps += [_step(_IF_EQUAL, domain, 0, 1), _step(_RETURN, _ALLOW)]
    steps.append(_step(_RETURN, _ERRNO | errno.EAFNOSUPPORT))
    return b"".join(steps)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Pack one struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
