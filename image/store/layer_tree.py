"""Build a layer as a directory tree in a staging directory: the `LayerBuilder` of extraction.

Promise: after `settle` the tree is durable and stands on its own above the layers it was settled against. Directories
that the tar did not describe take owner, mode, times and attributes from below, so that a layer which adds
`/tmp/x` does not change `/tmp`. Whiteouts of what does not exist are dropped: in a directory that only one layer has,
overlayfs would list them as broken files. Opaque marks need a privilege the worker lacks, so they are reported only.
"""

import os
from pathlib import Path

from image.host.durability import sync_filesystem
from image.host.extraction import ExtractionRoot
from image.store.below import Below, Questions
from image.store.layer_store import MAX_OPAQUE, LayerSummary
from image.store.lower_view import ROOT
from image.store.tar_headers import TarError
from image.store.tar_stream import ByteSource, TarStream
from image.store.tree_record import CONTENT, record_tree
from image.store.unpack_tar import Unpacker, UnpackLimits

KIND = "extract"


class LayerTree:
    """One layer while it grows in `staged`, a directory of its own that does not exist yet."""

    def __init__(
        self,
        staged: Path,
        limits: UnpackLimits,
    ) -> None:
        root = staged / ROOT
        root.mkdir(mode=0o700, parents=True)
        self._staged = staged
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._root = ExtractionRoot(self._fd, max_depth=limits.max_depth)
        self._unpacker = Unpacker(self._root, limits)

    def fill(self, source: ByteSource) -> None:
        """Extract the tar."""
        self._unpacker.run(TarStream(source))
        if len(self._unpacker.whiteouts.opaque) > MAX_OPAQUE:
            raise TarError(f"layer has more than {MAX_OPAQUE} opaque directories")

    def questions(self) -> Questions:
        """Return what must be known of the layers below."""
        deleted = self._unpacker.whiteouts.deleted
        return Questions(directories=tuple(self._root.implied), names=tuple(deleted))

    def settle(self, below: Below) -> LayerSummary:
        """Adjust to what lies below, give directories their attributes, and sync."""
        whiteouts = self._unpacker.whiteouts
        self._adopt_parents(below)
        self._drop_idle_whiteouts(below)
        self._root.finish()
        sync_filesystem(self._fd)
        used, inodes = record_tree(self._fd, self._staged / CONTENT, self._unpacker.sums)
        return LayerSummary(
            kind=KIND,
            opaque=tuple(path.decode("latin-1") for path in whiteouts.opaque),
            used_bytes=used,
            inodes=inodes,
        )

    def _adopt_parents(self, below: Below) -> None:
        for path in self._root.implied:
            hidden = self._unpacker.whiteouts.hides(path)
            attributes = None if hidden else below.directory_attributes(path)
            if attributes is not None:
                self._root.describe(path, attributes)

    def _drop_idle_whiteouts(self, below: Below) -> None:
        whiteouts = self._unpacker.whiteouts
        idle = [p for p in whiteouts.deleted if whiteouts.hides(p) or not below.exists(p)]
        self._root.unlink_whiteouts(idle)

    def close(self) -> None:
        """Close all descriptors."""
        self._root.close()
        os.close(self._fd)
