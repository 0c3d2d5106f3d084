"""Loop devices of 512-byte blocks for files that the kernel cannot mount directly (loop(4), Linux 5.8).

Promise: a device is read-only and goes by itself with its last user. Only used where the operator asks for it: two
devices per layer.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_READ_ONLY, _AUTOCLEAR = 1, 4
_ATTEMPTS = 16


class _Info(ctypes.Structure):
    """`struct loop_info64`."""

    _fields_ = (
        ("device", ctypes.c_uint64),
        ("inode", ctypes.c_uint64),
        ("rdevice", ctypes.c_uint64),
        ("offset", ctypes.c_uint64),
        ("sizelimit", ctypes.c_uint64),
        ("number", ctypes.c_uint32),
        ("encrypt_type", ctypes.c_uint32),
        ("encrypt_key_size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("file_name", ctypes.c_char * 64),
        ("crypt_name", ctypes.c_char * 64),
        ("encrypt_key", ctypes.c_ubyte * 32),
        ("init", ctypes.c_uint64 * 2),
    )


class _Config(ctypes.Structure):
    """`struct loop_config`."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("block_size", ctypes.c_uint32),
        ("info", _Info),
        ("reserved", ctypes.c_uint64 * 8),
    )


@contextlib.contextmanager
def loop_device(path: Path) -> Iterator[str]:
    """Give a device that shows a file; it stays while something, as a mount, uses it.

    Raises:
        OSError: there is no loop driver, or no right to use it.
    """
    backing = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        device, name = _attach(backing)
    finally:
        os.close(backing)
    try:
        yield name
    finally:
        os.close(device)


def _attach(backing: int) -> tuple[int, str]:
    for _ in range(_ATTEMPTS):
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            name = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
        finally:
            os.close(control)
        device = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            config = _Config(fd=backing, block_size=512)
            config.info.flags = _READ_ONLY | _AUTOCLEAR
            fcntl.ioctl(device, _LOOP_CONFIGURE, bytes(config))
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # another process took it meanwhile
                raise
        else:
            return device, name
    raise OSError(errno.EBUSY, "no free loop device")
