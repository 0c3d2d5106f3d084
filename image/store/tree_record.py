"""What an extracted layer holds, written beside it when it is made, so that damage can be found and named later.

One line of JSON per directory: names with mode, owner, time, and size and CRC-32 of content (3 GiB/s, a seventh of what
the layer's own digest costs). A guard against disks and accidents, not against attackers: the directory is root's alone.
Sparse files have no CRC, since reading their holes has no end. Names are bytes as Latin-1.
"""

import json
import os
import stat
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from image.host.disk_usage import allocated
from image.host.openat2 import open_directory, open_in_root

CONTENT = "content"
_CHUNK = 1 << 20
_MAX_LINE = 1 << 28
_SELF = "."
_FIELDS = ("kind or mode", "owner", "group", "time", "content")

_Entry = list[object]
"""Mode, uid, gid, mtime, and by kind: size and CRC, target of a link, device number."""


def record_tree(root_fd: int, path: Path, sums: Mapping[int, int]) -> tuple[int, int]:
    """Write down what is below `root_fd` durably; `sums` has the CRC by inode. Return (bytes, inodes) of the tree.

    Raises:
        OSError: the disk is full or broken.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    start = os.fstat(root_fd)
    used, inodes, linked = allocated(start), 1, set[int]()
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as stream:
        waiting = [b""]
        while waiting:
            place = waiting.pop()
            entries: dict[str, _Entry] = {} if place else {_SELF: _attributes(start)}
            fd = open_directory(root_fd, place)
            try:
                for name, found in _listed(fd):
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append(place + b"/" + name if place else name)
                    entries[name.decode("latin-1")] = _entry(fd, name, found, sums)
                    if found.st_nlink < 2 or stat.S_ISDIR(found.st_mode) or _first(found, linked):
                        used += allocated(found)
                        inodes += 1
            finally:
                os.close(fd)
            stream.write(json.dumps([place.decode("latin-1"), entries]) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return used, inodes


def tree_damage(root: Path, path: Path) -> str:
    """Return the first difference between a tree and what was written down of it; empty when there is none.

    Raises:
        OSError: something cannot be read; FileNotFoundError when nothing was written down.
    """
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            while line := stream.readline(_MAX_LINE):
                found = _directory_damage(root_fd, line)
                if found:
                    return found
    except (ValueError, TypeError, AttributeError, LookupError):
        return "the list of its files cannot be read"
    finally:
        os.close(root_fd)
    return ""


def _directory_damage(root_fd: int, line: bytes) -> str:
    place, entries = json.loads(line)
    try:
        fd = open_directory(root_fd, place.encode("latin-1"))
    except FileNotFoundError:
        return f"its directory {place[:200]!r} is missing"
    try:
        own = entries.pop(_SELF, None)
        if own and _attributes(os.fstat(fd)) != own:
            return "its root has another mode, owner or time"
        present = dict(_listed(fd))
        names = {name.encode("latin-1"): entry for name, entry in entries.items()}
        for name, entry in names.items():
            where = repr(f"{place}/{name.decode('latin-1')}".lstrip("/")[:300])
            if name not in present:
                return f"its file {where} is missing"
            wrong = _difference(fd, name, present[name], entry)
            if wrong:
                return f"its file {where} has another {wrong}"
        return _unknown(place, present.keys() - names.keys())
    finally:
        os.close(fd)


def _unknown(place: str, names: Iterable[bytes]) -> str:
    for name in names:
        where = f"{place}/{name.decode('latin-1')}".lstrip("/")
        return f"its file {where[:300]!r} was not there when it was made"
    return ""


def _difference(fd: int, name: bytes, found: os.stat_result, entry: _Entry) -> str:
    """Return in which way a file is not what was written down; its content is read last."""
    sums = {}
    if _has_sum(entry[4], found):
        sums[found.st_ino] = _content_crc(fd, name)
    now = _entry(fd, name, found, sums)
    return next((word for word, a, b in zip(_FIELDS, now, entry, strict=True) if a != b), "")


def _has_sum(detail: object, found: os.stat_result) -> bool:
    """Tell whether content is worth reading: its size is right and its CRC was written down."""
    if not stat.S_ISREG(found.st_mode) or not isinstance(detail, list):
        return False
    return detail[0] == found.st_size and detail[1] is not None


def _content_crc(fd: int, name: bytes) -> int:
    file = open_in_root(fd, name, os.O_RDONLY, links=False)
    crc = 0
    try:
        while piece := os.read(file, _CHUNK):
            crc = zlib.crc32(piece, crc)
    finally:
        os.close(file)
    return crc


def _listed(fd: int) -> list[tuple[bytes, os.stat_result]]:
    with os.scandir(fd) as entries:
        return [(os.fsencode(one.name), one.stat(follow_symlinks=False)) for one in entries]


def _entry(fd: int, name: bytes, found: os.stat_result, sums: Mapping[int, int]) -> _Entry:
    detail: object = None
    if stat.S_ISREG(found.st_mode):
        detail = [found.st_size, sums.get(found.st_ino)]
    elif stat.S_ISLNK(found.st_mode):
        detail = os.readlink(name, dir_fd=fd).decode("latin-1")
    elif stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        detail = found.st_rdev
    return [*_attributes(found), detail]


def _attributes(found: os.stat_result) -> _Entry:
    return [found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns]


def _first(found: os.stat_result, linked: set[int]) -> bool:
    """Tell whether a file with several names is met for the first time."""
    if found.st_ino in linked:
        return False
    linked.add(found.st_ino)
    return True
