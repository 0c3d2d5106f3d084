"""The seam between images and the way their layers are kept: extracted directories, or tars with an EROFS index.

Pure declarations. A layer is written by the worker (`LayerBuilder`) into a staging directory and published, attached
and removed by the daemon (`LayerStore`); what passes between the two is a `LayerSummary`. Neither side knows images
or registries: a layer is named by its chain id alone.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from image.store.below import Below, Questions
from image.store.tar_stream import ByteSource

MAX_OPAQUE = 50_000
"""Opaque directories of one layer; the daemon marks each, so the number is bounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSummary:
    """What the daemon must know of a finished layer."""

    kind: str
    """How it is kept: `extract` means a directory tree, `erofs` a tar with an index."""
    parent: str = ""
    """Chain id of the layer directly below, empty for the lowest: it was settled against that one."""
    opaque: tuple[str, ...] = ()
    """Directories that hide what lies below them, relative; empty text is the root. Bytes of
    the paths are written as Latin-1, which every byte survives."""
    used_bytes: int = 0
    inodes: int = 0


class LayerBuilder(Protocol):
    """Writes one layer; used by one thread at a time, in this order: fill, questions, settle, close."""

    def fill(self, source: ByteSource) -> None:
        """Take the whole uncompressed tar.

        Raises:
            TarError: it is malformed, hostile or beyond a limit.
            OSError: the disk is full or broken.
        """

    def questions(self) -> Questions:
        """Return what `settle` must know of the layers below."""

    def settle(self, below: Below) -> LayerSummary | None:
        """Finish the layer above published ones and make it durable; None when it has new questions."""

    def close(self) -> None:
        """Let go of descriptors; the staged content stays."""


class LayerStore(Protocol):
    """Keeps finished layers by chain id. Every method blocks on the disk."""

    def publish(self, staged: Path, chain_id: str, summary: LayerSummary) -> LayerSummary:
        """Make a settled layer durable under its name; one that is there already wins and the new one is dropped.

        Returns what the layer has become, which is what was handed in unless it had to be made in another way.
        """

    def place(self, chain_id: str) -> Path:
        """Return where a layer is published, for builders of layers above it."""

    def attach(self, chain_id: str) -> Path:
        """Return a directory that shows the layer, fit to be a lower of overlayfs.

        Raises:
            OSError: the layer is not there.
        """

    def retire(self, chain_ids: Sequence[str]) -> tuple[Path, ...]:
        """Free the names of layers at once; return what is left to `discard`. Absent layers are fine."""

    def discard(self, retired: Path) -> None:
        """Delete what was retired, or an unfinished layer; takes as long as the disk takes. Absence is fine."""

    def renew(self, chain_id: str) -> None:
        """Mend what can be mended of a layer without fetching it; containers that run are not touched.

        Raises:
            FailedPrecondition: it must be fetched again.
            OSError: it is not there, or the disk is full or broken.
        """

    def set_aside(self, chain_id: str, place: Path) -> None:
        """Move a layer away whole, for containers that use it, so that its name is free. Absence is fine."""

    def working(self) -> AbstractSet[str]:
        """Return the names in the staging directory that are in use."""

    def chain_ids(self) -> frozenset[str]:
        """List the published layers."""

    def detach_idle(self, in_use: AbstractSet[str]) -> None:
        """Undo `attach` for all layers but these."""
