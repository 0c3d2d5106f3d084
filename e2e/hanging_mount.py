"""A mount point on which every access waits for ever, as an NFS mount of a dead server does.

It is a FUSE file system whose server never answers: opened from /dev/fuse, mounted, and left alone.
Closing it aborts every waiting access.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MNT_DETACH = 2


@contextmanager
def hanging_mount(place: Path) -> Iterator[Path]:
    """Give a mounted directory that nobody can look into; take it away afterwards.

    Raises:
        OSError: the kernel has no FUSE.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    place.mkdir(parents=True, exist_ok=True)
    channel = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={channel},rootmode=40000,user_id=0,group_id=0".encode()
    target = os.fsencode(place)
    try:
        if libc.mount(b"hanging", target, b"fuse", 0, options) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"mount of FUSE on {place}: {os.strerror(number)}")
        try:
            yield place
        finally:
            os.close(channel)
            channel = -1
            libc.umount2(target, MNT_DETACH)
    finally:
        if channel >= 0:
            os.close(channel)
    place.rmdir()
