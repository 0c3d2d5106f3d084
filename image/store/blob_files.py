"""Manifests and configs as files named by their digest.

Promise: a file under its final name is whole, durable and has that digest. Never holds layer blobs: those are only
needed once, to make the layer.
"""

import contextlib
import os
from collections.abc import Set as AbstractSet
from pathlib import Path

from image.errors import Internal
from image.host.disk_usage import allocated
from image.host.durability import write_durably
from image.model.digest import Digest, digest_hex, matches_digest, parse_digest


class BlobFiles:
    """The directory `blobs`, with one directory per algorithm as in the OCI image layout."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, digest: Digest) -> Path:
        """Return where the content with this digest lies, or would lie."""
        return self._directory / digest.partition(":")[0] / digest_hex(digest)

    def write(self, digest: Digest, content: bytes) -> None:
        """Keep content durably; writing it again mends what was damaged, and is free else.

        Raises:
            Internal: the content does not have the digest.
        """
        if not matches_digest(content, digest):
            raise Internal(str(digest), "content with another digest was handed to the store")
        path = self.path(digest)
        with contextlib.suppress(OSError):
            if path.read_bytes() == content:
                return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, content)

    def read(self, digest: Digest) -> bytes:
        """Return the content, verified.

        Raises:
            OSError: it is not there.
            Internal: the disk has lost or changed bytes.
        """
        content = self.path(digest).read_bytes()
        if not matches_digest(content, digest):
            raise Internal(str(digest), "stored content is damaged", remedy="pull the image again")
        return content

    def allocated(self, *digests: Digest) -> int:
        """Return the bytes that contents take on the disk, each once; what is not there takes none."""
        total = 0
        for digest in set(digests):
            with contextlib.suppress(FileNotFoundError):
                total += allocated(os.lstat(self.path(digest)))
        return total

    def remove(self, digests: AbstractSet[str]) -> None:
        """Remove contents; absent ones are fine."""
        for digest in digests:
            self.path(parse_digest(digest)).unlink(missing_ok=True)

    def keep_only(self, wanted: AbstractSet[str]) -> None:
        """Remove every file that is not the content of a wanted digest, rests of crashes included."""
        for directory in self._directory.iterdir():
            for path in directory.iterdir():
                if f"{directory.name}:{path.name}" not in wanted:
                    path.unlink()
