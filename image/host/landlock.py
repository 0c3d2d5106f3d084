"""Shut a process out of files that it does not need, by Landlock (Documentation/userspace-api/landlock.rst).

Promise: after `restrict` this thread, and what it starts, opens and changes only what it was given, executes nothing,
binds no TCP port, and reaches neither abstract sockets nor processes outside itself by signals, as far as the kernel
knows how. Descriptors that are open stay usable. Needs no privilege but no-new-privileges. Other threads are not
restricted: call it in the only one. A kernel without Landlock, or one that cannot let files be linked and renamed
between directories (before 5.19), leaves everything as it was and is told by the answer.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress

LEAST_ABI = 2
"""The first one with REFER, without which every rename between directories fails."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_EXECUTE = 1 << 0
_BIND_TCP = 1 << 0
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1
_RIGHTS = {2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each ABI knows; later ones know as many as 5, or are not asked for theirs."""

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """Return what version of Landlock this kernel offers, 0 for none that can be used."""
    version = _libc.syscall(
        ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG)
    )
    return int(version) if version >= LEAST_ABI else 0


def restrict(*, writable: Iterable[str], readable: Iterable[str]) -> int:
    """Leave this thread these files and directories with what is below them; absent ones are passed over.

    `writable` is for reading and every change, `readable` for reading alone. Returns `landlock_abi`.

    Raises:
        OSError: the kernel offers Landlock and then refuses it.
    """
    abi = landlock_abi()
    if not abi:
        return 0
    every = (1 << _RIGHTS.get(abi, _RIGHTS[5])) - 1
    ruleset = _check(_libc.syscall(ctypes.c_long(_CREATE), *_ruleset(abi, every), ctypes.c_uint(0)))
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIRECTORY)
        for path in writable:
            _allow(ruleset, path, every & ~_EXECUTE)
        _check(_libc.syscall(ctypes.c_long(_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint(0)))
    finally:
        os.close(ruleset)
    return abi


def _ruleset(abi: int, every: int) -> tuple[ctypes.Array[ctypes.c_char], ctypes.c_size_t]:
    """Pack struct landlock_ruleset_attr, as long as this ABI has it."""
    fields = [every]
    if abi >= 4:
        fields.append(_BIND_TCP)
    if abi >= 6:
        fields.append(_ABSTRACT_SOCKETS | _SIGNALS)
    packed = struct.pack(f"{len(fields)}Q", *fields)
    return ctypes.create_string_buffer(packed, len(packed)), ctypes.c_size_t(len(packed))


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE  # the others are of directories
            rule = struct.pack("=Qi", rights, fd)  # struct landlock_path_beneath_attr is packed
            _check(
                _libc.syscall(
                    ctypes.c_long(_ADD),
                    ctypes.c_int(ruleset),
                    ctypes.c_int(_PATH_BENEATH),
                    rule,
                    ctypes.c_uint(0),
                )
            )
        finally:
            os.close(fd)


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
