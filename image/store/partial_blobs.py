"""Blobs on their way: the compressed bytes of downloads that have not become layers yet, one file each.

Promise: nothing here is believed before its digest was computed again, so any file may be deleted at any time and costs
at most another download. What a running pull wants is never collected; what is no blob's file is. The daemon's half: it
lists and deletes, and opens none of the files.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from image.errors import InvalidArgument
from image.host.tree_removal import remove_tree
from image.model.digest import Digest, parse_digest

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

IsWanted = Callable[[str], bool]
"""Whether a running pull still needs the blob of this digest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartialLimits:
    """How much is kept for pulls that may come back."""

    max_bytes: int = 8 * 2**30
    """On disk, beside what running pulls want; 0 keeps nothing."""
    max_age_seconds: float = 86400.0
    """Since the last byte came."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    digest: str
    """Empty: it is no blob's file."""
    used_bytes: int
    changed: float


def partial_name(digest: Digest) -> str:
    """Return the file name of a blob: `ALGORITHM-HEX`."""
    return digest.replace(":", "-")


class PartialBlobs:
    """One directory. Methods block on the disk."""

    def __init__(
        self, directory: Path, limits: PartialLimits, clock: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._limits = limits
        self._clock = clock

    def bytes_on_disk(self) -> int:
        """Return what all files take; quick, since there are few."""
        return sum(entry.used_bytes for entry in self._entries())

    def idle_bytes(self, is_wanted: IsWanted) -> int:
        """Return what `remove_idle` would free."""
        return sum(entry.used_bytes for entry in self._entries() if not is_wanted(entry.digest))

    def remove(self, digests: Iterable[Digest]) -> None:
        """Delete the files of blobs; absent ones are fine."""
        self._remove(partial_name(digest) for digest in digests)

    def remove_idle(self, is_wanted: IsWanted) -> int:
        """Delete all that no running pull wants; return the bytes freed."""
        return self._drop(self._entries(), is_wanted)

    def collect(self, is_wanted: IsWanted) -> int:
        """Delete what is too old, and then the oldest until the rest is within the limit; return the bytes freed."""
        idle = sorted(
            (entry for entry in self._entries() if not is_wanted(entry.digest)),
            key=lambda entry: entry.changed,
        )
        excess = sum(entry.used_bytes for entry in idle) - self._limits.max_bytes
        oldest = self._clock() - self._limits.max_age_seconds
        doomed = []
        for entry in idle:
            empty = not self._limits.max_bytes
            if empty or excess > 0 or entry.changed < oldest or not entry.digest:
                doomed.append(entry)
                excess -= entry.used_bytes
        return self._drop(doomed, is_wanted)

    def _drop(self, entries: Iterable[_Entry], is_wanted: IsWanted) -> int:
        freed = 0
        for entry in entries:
            # Asked again just before: a pull may have begun meanwhile.
            if not is_wanted(entry.digest):
                self._remove([entry.name])
                freed += entry.used_bytes
        return freed

    def _remove(self, names: Iterable[str]) -> None:
        directory = os.open(self.directory, _DIRECTORY)
        try:
            for name in names:
                remove_tree(directory, os.fsencode(name))
        finally:
            os.close(directory)

    def _entries(self) -> tuple[_Entry, ...]:
        with os.scandir(self.directory) as found:
            return tuple(entry for each in found for entry in _entry(each))


def _entry(found: os.DirEntry[str]) -> Iterator[_Entry]:
    try:
        about = found.stat(follow_symlinks=False)
    except FileNotFoundError:
        return  # a pull has just finished with it
    try:
        digest = parse_digest(found.name.replace("-", ":", 1))
    except InvalidArgument:
        digest = Digest("")
    is_file = stat.S_ISREG(about.st_mode)
    yield _Entry(found.name, digest if is_file else "", about.st_blocks * 512, about.st_mtime)
