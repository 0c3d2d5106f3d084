"""Keep layers as extracted directories: the `LayerStore` of extraction, in the daemon.

Promise: a directory under `layers/` is complete and durable; what is unfinished or on its way out lies under
`staging/`. Two workers may deliver the same layer: the first one stays. Opaque marks are set here because the
`trusted.` attributes want CAP_SYS_ADMIN, and their paths are opened below the layer's root without following links.
"""

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from image.errors import Internal
from image.host.disk_usage import usage_of_entries
from image.host.durability import sync_directory, write_durably
from image.host.openat2 import open_directory
from image.host.tree_removal import remove_tree
from image.model.digest import digest_hex, parse_digest
from image.store.layer_store import LayerSummary
from image.store.lower_view import RECORD, ROOT
from image.store.staged_files import shut_out
from image.store.tree_record import CONTENT


class ExtractedLayers:
    """The directories `layers` and `staging`, on one filesystem."""

    def __init__(self, layers: Path, staging: Path) -> None:
        self._layers = layers
        self._staging = staging

    def place(self, chain_id: str) -> Path:
        """Return the directory of a published layer."""
        return self._layers / digest_hex(parse_digest(chain_id))

    def publish(self, staged: Path, chain_id: str, summary: LayerSummary) -> LayerSummary:
        """Mark, record and rename a settled layer."""
        place = self.place(chain_id)
        if place.exists():
            return summary
        # The worker made the directory; only root may pass through it (security rule H2).
        os.close(shut_out(staged, chain_id))
        if not stat.S_ISDIR(os.lstat(staged / ROOT).st_mode):
            raise Internal(chain_id, "worker handed over no tree")
        _require_plain_list(staged / CONTENT, chain_id)
        mark_opaque(staged / ROOT, summary.opaque)
        self.write_record(staged, chain_id, summary)
        summary = with_own_files(summary, staged)
        staged.rename(place)
        sync_directory(self._layers)
        return summary

    @staticmethod
    def write_record(directory: Path, chain_id: str, summary: LayerSummary) -> None:
        """Say durably in a layer's directory what it is."""
        record = {
            "kind": summary.kind,
            "chain_id": chain_id,
            "parent": summary.parent,
            "opaque": list(summary.opaque),
        }
        write_durably(directory / RECORD, json.dumps(record).encode())

    def attach(self, chain_id: str) -> Path:
        """Return the extracted root; nothing has to be mounted."""
        root = self.place(chain_id) / ROOT
        root.stat()
        return root

    def retire(self, chain_ids: Sequence[str]) -> tuple[Path, ...]:
        """Move layers out of the way; a rename each, whatever their size."""
        moved = (self._set_aside(chain_id) for chain_id in chain_ids)
        return tuple(path for path in moved if path is not None)

    def _set_aside(self, chain_id: str) -> Path | None:
        target = self._staging / f"removed-{secrets.token_hex(8)}"
        try:
            self.place(chain_id).rename(target)
        except FileNotFoundError:
            return None
        return target

    def discard(self, retired: Path) -> None:
        """Delete something under `staging`, of any depth."""
        fd = os.open(retired.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(fd, os.fsencode(retired.name))
        finally:
            os.close(fd)

    def chain_ids(self) -> frozenset[str]:
        """List the published layers by their directories' names."""
        return frozenset(f"sha256:{entry.name}" for entry in self._layers.iterdir())


def _require_plain_list(path: Path, chain_id: str) -> None:
    """Refuse a list of files that is none: who opens a pipe waits for ever.

    Raises:
        Internal: the worker handed over something else.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Internal(chain_id, f"worker handed over a {path.name} that is no plain file")


def with_own_files(summary: LayerSummary, place: Path) -> LayerSummary:
    """Add what lies beside the tree to the bytes and inodes of an extracted layer."""
    used, inodes = usage_of_entries(place, without=ROOT)
    return replace(summary, used_bytes=summary.used_bytes + used, inodes=summary.inodes + inodes)


def mark_opaque(root: Path, opaque: Sequence[str]) -> None:
    """Set overlayfs' mark on directories of an extracted layer; what is no directory any more is passed over."""
    if not opaque:
        return
    # An unprivileged overlay mount reads `user.` instead (mount option userxattr).
    name = "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque"
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in opaque:
            _mark(root_fd, path.encode("latin-1"), name)
        os.fsync(root_fd)
    finally:
        os.close(root_fd)


def _mark(root_fd: int, path: bytes, name: str) -> None:
    try:
        fd = open_directory(root_fd, path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return  # the layer replaced it, or a parent, by something else after the mark
    try:
        os.setxattr(fd, name, b"y")
        os.fsync(fd)
    finally:
        os.close(fd)
