"""Look up device nodes of the host: one, all below a directory, or all of /dev (for privileged containers).

Reads names and numbers only; a device is never opened. Links are not followed below a directory, so that nothing
appears twice and no walk leaves it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import InvalidArgument, NotFound
from runtime.host.host import DeviceNode

DEVICES_LIMIT = 10_000
"""Nodes in one answer; a spec with more would not be taken by any OCI runtime."""

_SKIPPED = frozenset(("pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"))
"""Directories of /dev that each container has of its own (containerd and runc skip the same)."""
_OWN = frozenset(("console", "ptmx"))
"""Nodes of a container's own terminal."""


def find_devices(path: str) -> tuple[DeviceNode, ...]:
    """Return the device at `path`, following links, or all below a directory.

    Raises:
        NotFound: there is nothing, or no device below it.
        InvalidArgument: it is neither a device nor a directory.
        OSError: the kernel refused.
    """
    subject = f"device {path}"
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise NotFound(subject, "does not exist on the host", reason="DeviceMissing") from error
    if stat.S_ISDIR(found.st_mode):
        nodes = tuple(_walk(Path(path)))
        if not nodes:
            raise NotFound(subject, "has no device below it", reason="DeviceMissing")
        return nodes
    node = _node(path, found)
    if node is None:
        raise InvalidArgument(subject, "is not a device", reason="NotADevice")
    return (node,)


def host_devices(root: str = "/dev") -> tuple[DeviceNode, ...]:
    """Return all device nodes of the host, sorted by path."""
    return tuple(_walk(Path(root), skipped=_SKIPPED, own=_OWN))


def _walk(
    directory: Path,
    *,
    skipped: frozenset[str] = frozenset(),
    own: frozenset[str] = frozenset(),
) -> Iterator[DeviceNode]:
    count = 0
    for folder, children, names in os.walk(directory):
        children[:] = sorted(name for name in children if name not in skipped)
        for name in sorted(names):
            if name in own:
                continue
            place = os.path.join(folder, name)
            node = _node(place, os.lstat(place)) if os.path.lexists(place) else None
            if node is None:
                continue
            count += 1
            if count > DEVICES_LIMIT:
                raise InvalidArgument(
                    f"device {directory}", f"has more than {DEVICES_LIMIT} devices below it"
                )
            yield node


def _node(path: str, found: os.stat_result) -> DeviceNode | None:
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
    if not kind:
        return None
    return DeviceNode(
        path=path,
        kind=kind,
        major=os.major(found.st_rdev),
        minor=os.minor(found.st_rdev),
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
    )
