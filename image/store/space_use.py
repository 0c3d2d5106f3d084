"""What the store takes on its disk besides finished layers, which the database knows: measured when asked.

Promise: files are counted as du(1) counts them. Of unfinished pulls at most some thousand files are counted, so that a
measurement takes milliseconds; a running extraction may hold more. Changes nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from image.host.disk_usage import allocated, usage_below

UNFINISHED = ("staging", "partial", "replaced")
"""Layers on their way in and out, half-fetched blobs, and damaged layers that containers still use."""
_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SpaceUse:
    """Bytes and inodes of a store, without finished layers."""

    documents: int = 0
    """Manifests and configs."""
    unfinished: int = 0
    database: int = 0
    """The database, its reserve, and the store's own few files and directories."""
    inodes: int = 0

    @property
    def used_bytes(self) -> int:
        """All of it."""
        return self.documents + self.unfinished + self.database


def measure(root: Path) -> SpaceUse:
    """Measure the store below `root`; blocking, for some milliseconds.

    Raises:
        OSError: the disk is broken.
    """
    documents, inodes = usage_below(root / "blobs")
    unfinished = 0
    for name in UNFINISHED:
        used, count = usage_below(root / name, limit=_COUNTED)
        unfinished, inodes = unfinished + used, inodes + count
    database = allocated(os.lstat(root))
    inodes += 1
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name == "blobs" or entry.name in UNFINISHED:
                continue
            try:
                database += allocated(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # a temporary file of the database
            inodes += 1
    return SpaceUse(documents=documents, unfinished=unfinished, database=database, inodes=inodes)
