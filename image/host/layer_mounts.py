"""Show an index and its tar as a directory: one read-only mount per layer, shared by all containers.

Promise: a layer is mounted at most once, since every mount of the same files has a page cache of its own; mounts
outlive the daemon and are recognised by the kernel's answers, not by memory. They are nosuid, nodev and noexec: what a
container may do on them is decided by the overlay above. Only files of the layer store are mounted (security rule A4).
"""

import contextlib
import enum
import os
from pathlib import Path

from image.host.loop_devices import loop_device
from image.host.mount_calls import mount_filesystem, unmount

_VALUE_LIMIT = 255
"""Bytes of one value of fsconfig(2)."""


class MountMode(enum.StrEnum):
    """How this kernel can show a tar with its index."""

    FILE = "file"
    """Directly, from Linux 6.12 (CONFIG_EROFS_FS_BACKED_BY_FILE)."""
    LOOP = "loop"
    """By two loop devices for each layer."""
    EXTRACT = "extract"
    """Not at all: layers have to be extracted."""


def mount_layer(index: Path, tar: Path, target: Path, mode: MountMode) -> None:
    """Mount a layer unless it is mounted already.

    Raises:
        OSError: the kernel refused, or a file is not there.
    """
    if is_mounted(target):
        return
    with contextlib.ExitStack() as stack:
        if mode is MountMode.LOOP:
            source, device = (stack.enter_context(loop_device(path)) for path in (index, tar))
        else:
            source, device = (_name_for_kernel(path, stack) for path in (index, tar))
        mount_filesystem("erofs", (("source", source), ("device", device)), target)


def _name_for_kernel(path: Path, stack: contextlib.ExitStack) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    # The plain name is what an operator wants to see in /proc/self/mountinfo.
    return str(path) if len(os.fsencode(path)) <= _VALUE_LIMIT else f"/proc/self/fd/{fd}"


def is_mounted(target: Path) -> bool:
    """Tell whether something is mounted at a directory; absence is no mount.

    Every layer's mount is a filesystem of its own, so its device number differs from that of the directory above.
    """
    try:
        return os.lstat(target).st_dev != os.lstat(target.parent).st_dev
    except FileNotFoundError:
        return False


def unmount_layer(target: Path) -> None:
    """Unmount a layer; containers keep what they have. Absence is fine."""
    if is_mounted(target):
        unmount(target)
