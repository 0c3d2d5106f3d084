"""See what published layers show together, without mounting them.

Promise: a path is looked up as overlayfs would: topmost first, stopped by whiteouts, opaque directories and files in
the way. Only canonical paths are asked for, links are never followed. Never changes a layer.
"""

import errno
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.host.extraction import Attributes
from image.host.openat2 import open_in_root, stat_canonical
from image.store.pax_records import is_allowed
from image.store.whiteouts import parents

ROOT = "root"
RECORD = "layer.json"
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""A path that is too long for the kernel can be in no layer that shows it."""


@dataclass(slots=True)
class _Lower:
    fd: int
    opaque: frozenset[bytes]


class LowerView:
    """The merged content of layers, given topmost first as places of the layer store."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._lowers: list[_Lower] = []
        try:
            for place in places:
                self._lowers.append(_open(place))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the layers."""
        for lower in self._lowers:
            os.close(lower.fd)
        self._lowers.clear()

    def exists(self, path: bytes) -> bool:
        """Tell whether anything shows at a canonical path."""
        return self._find(path) is not None

    def directory_attributes(self, path: bytes) -> Attributes | None:
        """Return the attributes of the directory that shows at a path, None when none does."""
        found = self._find(path)
        if found is None or not stat.S_ISDIR(found[1].st_mode):
            return None
        lower, status = found
        return Attributes(
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            xattrs=_xattrs(lower.fd, path),
        )

    def _find(self, path: bytes) -> tuple[_Lower, os.stat_result] | None:
        for lower in self._lowers:
            try:
                status = stat_canonical(lower.fd, path)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                # A file, link or whiteout in place of a parent ends the search, as does an opaque parent.
                if error.errno != errno.ENOENT or not lower.opaque.isdisjoint(parents(path)):
                    return None
                continue
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                return None
            return lower, status
        return None


def _open(place: Path) -> _Lower:
    record = json.loads((place / RECORD).read_bytes())
    opaque = frozenset(str(path).encode("latin-1") for path in record["opaque"])
    return _Lower(os.open(place / ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), opaque)


def _xattrs(root_fd: int, path: bytes) -> dict[str, bytes]:
    fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, links=False)
    try:
        return {name: os.getxattr(fd, name) for name in os.listxattr(fd) if is_allowed(name)}
    finally:
        os.close(fd)
