"""Mount and unmount: bind mounts, tmpfs, lazy unmounting, everything below a directory (mount(2), umount2(2)).

Blocking and idempotent towards "gone"; callers run it in a thread where it may take long. It mounts what it is told and
keeps no list: the kernel's is read when needed. Overlays are in `overlay`.
"""

import errno
import os
from pathlib import Path

from runtime.formats.mountinfo import MountEntry, mount_points_below, parse_mountinfo
from runtime.host.system_call import libc_call

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_MANY = 4096
"""Mounts on one place before we stop believing the kernel."""


def mount(source: str, target: str, filesystem: str, flags: int, options: str = "") -> None:
    """Mount a filesystem, by mount(2).

    Raises:
        OSError: the kernel refused.
    """
    libc_call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        filesystem.encode() or None,
        flags,
        os.fsencode(options) or None,
    )


def bind(source: str, target: str) -> None:
    """Bind-mount a file or directory; source may be a magic link such as /proc/thread-self/ns/net."""
    mount(source, target, "", MS_BIND)


def mount_tmpfs(target: Path, *, size_bytes: int, inodes: int, mode: int) -> None:
    """Mount a tmpfs with limits; nosuid, nodev and noexec always."""
    options = f"size={size_bytes},nr_inodes={inodes},mode={mode:o}"
    mount("tmpfs", str(target), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)


def unmount_all(target: Path) -> int:
    """Unmount lazily until `target` is no mount point; return how many mounts there were."""
    for count in range(_MANY):
        try:
            # Lazily: a process that still sits inside must not keep a pod from ending.
            libc_call("umount2", os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
                return count
            raise
    raise OSError(errno.EBUSY, f"{target} is still a mount point after {_MANY} unmounts")


def list_mounts() -> tuple[MountEntry, ...]:
    """Return the mounts of the daemon's mount namespace."""
    with open("/proc/self/mountinfo", "rb") as file:
        return parse_mountinfo(file.read())


def is_mount_point(target: Path) -> bool:
    """Tell whether something is mounted at exactly this place."""
    wanted = str(target)
    return any(entry.mount_point == wanted for entry in list_mounts())


def unmount_tree(directory: Path) -> int:
    """Unmount everything at or below `directory`, last mounted first; return how many there were."""
    real = os.path.realpath(directory)
    points = mount_points_below(list_mounts(), real)
    for point in points:
        unmount_all(Path(point))
    return len(points)
