"""Keep layers as tars with an EROFS index, mounted once each; extracted layers stand beside them in the same store.

Promise: only files that this store's own worker wrote are mounted, after they were renamed to their chain id. A layer
whose index is of an older format, damaged or refused by the kernel gets a new index from its tar, and is extracted if
that does not help; only a damaged tar needs a new pull. Mounts outlive the daemon. Removal costs one unmount and a
few unlinks, whatever the layer holds.
"""

import hashlib
import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from image.errors import FailedPrecondition, Internal
from image.host.disk_usage import usage_of_entries
from image.host.durability import sync_directory, write_durably
from image.host.layer_mounts import MountMode, is_mounted, mount_layer, unmount_layer
from image.store.erofs.chunk_map import Unsupported
from image.store.erofs.erofs_image import FORMAT
from image.store.erofs.tar_index import TarIndex
from image.store.extracted_layers import ExtractedLayers, mark_opaque, with_own_files
from image.store.indexed_layer import (
    INDEX,
    KIND,
    TAR,
    StoredTar,
    adjust_to_lowers,
    write_index_file,
)
from image.store.layer_store import LayerSummary
from image.store.layer_tree import LayerTree
from image.store.lower_view import RECORD, ROOT
from image.store.tar_headers import TarError
from image.store.tar_stream import TarStream
from image.store.tree_record import CONTENT
from image.store.unpack_tar import UnpackLimits

log = logging.getLogger(__name__)

_ACCEPTED = UnpackLimits(max_entries=1 << 32, max_depth=4096)
"""A stored tar was held against the limits when it was pulled."""
_MAX_PARENTS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class _Record:
    """What is written beside a layer."""

    chain_id: str
    parent: str
    opaque: tuple[str, ...]
    format: int
    index_sha256: str

    def write(self, place: Path) -> None:
        fields = {
            "kind": KIND,
            "chain_id": self.chain_id,
            "parent": self.parent,
            "opaque": list(self.opaque),
            "format": self.format,
            "index_sha256": self.index_sha256,
        }
        write_durably(place / RECORD, json.dumps(fields).encode())


def _read_record(place: Path) -> _Record:
    fields = json.loads((place / RECORD).read_bytes())
    return _Record(
        chain_id=str(fields["chain_id"]),
        parent=str(fields["parent"]),
        opaque=tuple(map(str, fields["opaque"])),
        format=int(fields["format"]),
        index_sha256=str(fields["index_sha256"]),
    )


class ErofsLayers:
    """The directories `layers` and `staging`, on one filesystem."""

    def __init__(
        self,
        layers: Path,
        staging: Path,
        mode: MountMode,
        on_change: Callable[[str, LayerSummary], None],
    ) -> None:
        """Take the places, how layers can be mounted here, and who must know when a layer is kept otherwise."""
        self._layers = layers
        self._staging = staging
        self._mode = mode
        self._on_change = on_change
        self._extracted = ExtractedLayers(layers, staging)

    def place(self, chain_id: str) -> Path:
        """Return the directory of a published layer."""
        return self._extracted.place(chain_id)

    def chain_ids(self) -> frozenset[str]:
        """List the published layers of both kinds."""
        return self._extracted.chain_ids()

    def publish(self, staged: Path, chain_id: str, summary: LayerSummary) -> LayerSummary:
        """Check, record, rename and mount a settled layer.

        Raises:
            Internal: the worker handed over something else than a tar and an index.
            OSError: the disk is full or broken; the layer is not there then.
        """
        if summary.kind != KIND:
            return self._extracted.publish(staged, chain_id, summary)
        place = self.place(chain_id)
        if place.exists():
            return summary
        for name in (TAR, INDEX):
            _take_over(staged / name, chain_id)
        _Record(
            chain_id=chain_id,
            parent=summary.parent,
            opaque=summary.opaque,
            format=FORMAT,
            index_sha256=_sha256(staged / INDEX),
        ).write(staged)
        staged.chmod(0o700)
        used, inodes = usage_of_entries(staged)
        staged.rename(place)
        sync_directory(self._layers)
        changed = self._show(place)
        if changed is not None:
            return replace(changed, parent=summary.parent)
        return replace(summary, used_bytes=used, inodes=inodes)

    def attach(self, chain_id: str) -> Path:
        """Return the root of a layer, mounted if it is not extracted.

        Raises:
            FileNotFoundError: the layer is not there.
            FailedPrecondition: its tar is damaged.
            OSError: the disk is full or broken.
        """
        place = self.place(chain_id)
        root = place / ROOT
        if (place / TAR).exists() and not is_mounted(root):
            changed = self._show(place)
            if changed is not None:
                self._on_change(chain_id, changed)
        root.stat()
        return root

    def _show(self, place: Path) -> LayerSummary | None:
        """Mount a layer, mended if need be; return what it has become if that is something else."""
        record = _read_record(place)
        (place / ROOT).mkdir(mode=0o700, exist_ok=True)
        if self._mode is MountMode.EXTRACT:
            return self._extract(place, record)
        for fresh in (record.format != FORMAT, True):
            try:
                if fresh:
                    self._index_again(place, record)
                mount_layer(place / INDEX, place / TAR, place / ROOT, self._mode)
            except (OSError, Unsupported) as error:
                log.warning("layer %s: index does not work: %s", record.chain_id, error)
            else:
                return None
        log.warning("layer %s: is extracted instead", record.chain_id)
        return self._extract(place, record)

    def _index_again(self, place: Path, record: _Record) -> None:
        work = self._new_work()
        work.mkdir(mode=0o700)
        try:
            index = TarIndex(_ACCEPTED)
            with closing(_Tar(place / TAR)) as tar:
                try:
                    index.run(TarStream(tar))
                except TarError as error:
                    raise _damaged(record, error) from error
                adjust_to_lowers(index.nodes, self._lowers(record))
                write_index_file(work, index.nodes, tar.size)
            _take_over(work / INDEX, record.chain_id)
            (work / INDEX).rename(place / INDEX)
            replace(record, format=FORMAT, index_sha256=_sha256(place / INDEX)).write(place)
        finally:
            self._extracted.discard(work)

    def _extract(self, place: Path, record: _Record) -> LayerSummary:
        """Put an extracted tree in place of tar and index, so that an interruption leaves either."""
        work = self._new_work()
        tree = LayerTree(work, _ACCEPTED)
        try:
            with closing(_Tar(place / TAR)) as tar:
                try:
                    tree.fill(tar)
                except TarError as error:
                    raise _damaged(record, error) from error
            summary = replace(tree.settle(self._lowers(record)), parent=record.parent)
            mark_opaque(work / ROOT, summary.opaque)
            (place / ROOT).rename(work / "empty")
            (work / ROOT).rename(place / ROOT)
            (work / CONTENT).rename(place / CONTENT)
            self._extracted.write_record(place, record.chain_id, summary)
        finally:
            tree.close()
            self._extracted.discard(work)
        for name in (TAR, INDEX):
            (place / name).unlink(missing_ok=True)
        return with_own_files(summary, place)

    def _new_work(self) -> Path:
        return self._staging / f"mend-{secrets.token_hex(8)}"

    def _lowers(self, record: _Record) -> list[Path]:
        """Return the places of all layers below, topmost first, each shown."""
        lowers: list[Path] = []
        parent = record.parent
        while parent and len(lowers) < _MAX_PARENTS:
            self.attach(parent)
            lowers.append(self.place(parent))
            fields = json.loads((lowers[-1] / RECORD).read_bytes())
            parent = str(fields.get("parent", ""))
        return lowers

    def retire(self, chain_ids: Sequence[str]) -> tuple[Path, ...]:
        """Unmount layers and move them out of the way."""
        for chain_id in chain_ids:
            unmount_layer(self.place(chain_id) / ROOT)
        return self._extracted.retire(chain_ids)

    def discard(self, retired: Path) -> None:
        """Delete something under `staging`; nothing of it is mounted any more."""
        unmount_layer(retired / ROOT)
        self._extracted.discard(retired)

    def detach_idle(self, in_use: AbstractSet[str]) -> None:
        """Unmount what no container uses, when the daemon ends; the next one mounts what it needs."""
        for chain_id in self.chain_ids() - in_use:
            unmount_layer(self.place(chain_id) / ROOT)


class _Tar(StoredTar):
    """A published tar."""

    def __init__(self, path: Path) -> None:
        self._own = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.size = os.fstat(self._own).st_size
        super().__init__(self._own)

    def close(self) -> None:
        os.close(self._own)


def _take_over(path: Path, chain_id: str) -> None:
    """Make a file of the worker the store's own: regular, one name, never written again."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise Internal(chain_id, f"worker handed over a {path.name} that is no plain file")
    # The kernel does not lock what it mounts: a write would change containers under their feet.
    path.chmod(0o400)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(record: _Record, error: TarError) -> FailedPrecondition:
    return FailedPrecondition(
        record.chain_id,
        f"stored layer is damaged: {error}",
        remedy="remove the image and pull it again",
        reason="LayerDamaged",
    )
