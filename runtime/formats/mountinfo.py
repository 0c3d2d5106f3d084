"""/proc/PID/mountinfo, parsed (proc_pid_mountinfo(5)).

Pure: text in, values out. A line that does not have the documented fields raises; optional fields that are not known
are kept as they are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, kw_only=True, slots=True)
class MountEntry:
    """One mount of a mount namespace, bytes decoded as file names are."""

    mount_id: int
    parent_id: int
    device: str
    """`major:minor`."""
    root: str
    """The directory of the filesystem that is mounted; for nsfs `net:[4026531840]`."""
    mount_point: str
    options: tuple[str, ...]
    propagation: tuple[str, ...]
    """Optional fields: `shared:2`, `master:1`; empty is private."""
    filesystem: str
    source: str
    super_options: tuple[str, ...]


def parse_mountinfo(text: bytes) -> tuple[MountEntry, ...]:
    """Return all mounts in the order of the kernel, which is that of mounting.

    Raises:
        ValueError: a line is not as documented; the message quotes it.
    """
    return tuple(_parse_line(line) for line in text.split(b"\n") if line)


def mount_points_below(entries: Iterable[MountEntry], directory: str) -> tuple[str, ...]:
    """Return the mount points at or below `directory`, last mounted first: the order to unmount them in.

    A place that is mounted over several times appears as often.
    """
    prefix = directory.rstrip("/") + "/"
    found = [entry.mount_point for entry in entries if (entry.mount_point + "/").startswith(prefix)]
    return tuple(reversed(found))


def cgroup_hierarchies(entries: Iterable[MountEntry]) -> dict[str, str]:
    """Return where each cgroup controller is mounted: `cpu` -> path; `` (empty) -> the v2 hierarchy.

    Named v1 hierarchies appear as `name=systemd`. The first mount of a hierarchy wins, as with runc and crun.
    """
    found: dict[str, str] = {}
    for entry in entries:
        if entry.filesystem == "cgroup2":
            found.setdefault("", entry.mount_point)
        elif entry.filesystem == "cgroup":
            for option in entry.super_options:
                if option not in _CGROUP_MOUNT_OPTIONS and not option.startswith("release_agent="):
                    found.setdefault(option, entry.mount_point)
    return found


_CGROUP_MOUNT_OPTIONS = frozenset(
    ("rw", "ro", "noprefix", "xattr", "clone_children", "cpuset_v2_mode", "favordynmods")
)
"""What the kernel shows beside controllers (kernel/cgroup/cgroup-v1.c, cgroup1_show_options)."""


def _parse_line(line: bytes) -> MountEntry:
    fields = line.split(b" ")
    try:
        end = fields.index(b"-", 6)
        filesystem, source, super_options = fields[end + 1 : end + 4]
        return MountEntry(
            mount_id=int(fields[0]),
            parent_id=int(fields[1]),
            device=fields[2].decode("ascii"),
            root=_unescape(fields[3]),
            mount_point=_unescape(fields[4]),
            options=tuple(_unescape(fields[5]).split(",")),
            propagation=tuple(_unescape(field) for field in fields[6:end]),
            filesystem=_unescape(filesystem),
            source=_unescape(source),
            super_options=tuple(_unescape(super_options).split(",")),
        )
    except (ValueError, IndexError) as error:
        shown = line[:200].decode("utf-8", "replace")
        raise ValueError(f"not a mountinfo line: {shown!r}") from error


def _unescape(field: bytes) -> str:
    # Space, tab, newline and backslash are written as three octal digits (seq_path in fs/seq_file.c).
    plain = _OCTAL.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), field)
    return plain.decode("utf-8", "surrogateescape")
