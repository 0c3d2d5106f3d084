"""Keep layers as tars with an EROFS index, mounted once each; extracted layers stand beside them in the same store.

Promise: only files that this store's own worker wrote are mounted, after they were renamed to their chain id. A layer
whose index is of an older format, damaged or refused by the kernel gets a new index from its tar, and is extracted if
that does not help; only a damaged tar needs a new pull. Mounts outlive the daemon. Removal costs one unmount and a
few unlinks, whatever the layer holds. Mending takes as long as it takes: one lock per layer, so that others go on.
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from image.errors import FailedPrecondition, Internal
from image.host.disk_usage import usage_of_entries
from image.host.durability import sync_directory, write_durably
from image.host.layer_mounts import MountMode, is_mounted, mount_layer, unmount_layer
from image.store.chain_ids import chain_of
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
from image.store.lower_view import RECORD, ROOT, LowerView
from image.store.staged_files import take_over
from image.store.tar_digest import tar_digests
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
    try:
        fields = json.loads((place / RECORD).read_bytes())
        return _Record(
            chain_id=str(fields["chain_id"]),
            parent=str(fields["parent"]),
            opaque=tuple(map(str, fields["opaque"])),
            format=int(fields["format"]),
            index_sha256=str(fields["index_sha256"]),
        )
    except (ValueError, TypeError, LookupError) as error:
        raise _damaged(f"sha256:{place.name}", "its record cannot be read") from error


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
        self._locks: dict[str, threading.Lock] = {}
        self._work: set[str] = set()

    def _lock(self, chain_id: str) -> threading.Lock:
        """Return the lock of a layer; one who holds it takes those of layers below, never of layers above."""
        return self._locks.setdefault(chain_id, threading.Lock())

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
        with self._lock(chain_id):
            if summary.kind != KIND:
                return self._extracted.publish(staged, chain_id, summary)
            return self._publish(staged, chain_id, summary)

    def _publish(self, staged: Path, chain_id: str, summary: LayerSummary) -> LayerSummary:
        place = self.place(chain_id)
        if place.exists():
            return summary
        take_over(staged, chain_id)
        if not {TAR, INDEX} <= set(os.listdir(staged)):
            raise Internal(chain_id, "worker handed over no tar and index")
        _Record(
            chain_id=chain_id,
            parent=summary.parent,
            opaque=summary.opaque,
            format=FORMAT,
            index_sha256=_sha256(staged / INDEX),
        ).write(staged)
        used, inodes = usage_of_entries(staged)
        staged.rename(place)
        sync_directory(self._layers)
        changed = self._show(place, written=True)
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
        with self._lock(chain_id):
            if (place / TAR).exists() and not is_mounted(root):
                changed = self._show(place)
                if changed is not None:
                    self._on_change(chain_id, changed)
        root.stat()
        return root

    def renew(self, chain_id: str) -> None:
        """Make the index of a layer again from its tar; containers that run keep the old one.

        Raises:
            FileNotFoundError: the layer is not there, or has no tar.
            FailedPrecondition: its tar is damaged.
            OSError: the disk is full or broken.
        """
        place = self.place(chain_id)
        with self._lock(chain_id):
            record = _read_record(place)
            require_own_tar(place / TAR, chain_id, record.parent)
            unmount_layer(place / ROOT)
            (place / INDEX).unlink(missing_ok=True)
            changed = self._show(place)
            if changed is not None:
                self._on_change(chain_id, changed)

    def _show(self, place: Path, *, written: bool = False) -> LayerSummary | None:
        """Mount a layer, mended if need be; return what it has become if that is something else.

        An index that was `written` just now is not read again.
        """
        record = _read_record(place)
        (place / ROOT).mkdir(mode=0o700, exist_ok=True)
        if self._mode is MountMode.EXTRACT:
            require_own_tar(place / TAR, record.chain_id, record.parent)
            return self._extract(place, record)
        usable = record.format == FORMAT and (written or _has_its_index(place, record))
        if usable and self._mount(place, record):
            return None
        if record.format == FORMAT:  # what damaged the index may have damaged the tar
            require_own_tar(place / TAR, record.chain_id, record.parent)
        if self._mount(place, record, fresh=True):
            return None
        log.warning("layer %s: is extracted instead", record.chain_id)
        require_own_tar(place / TAR, record.chain_id, record.parent)
        return self._extract(place, record)

    def _mount(self, place: Path, record: _Record, *, fresh: bool = False) -> bool:
        """Mount a layer and read its root, with a new index if asked; tell whether that works."""
        try:
            if fresh:
                self._index_again(place, record)
            mount_layer(place / INDEX, place / TAR, place / ROOT, self._mode)
            os.listdir(place / ROOT)
        except (OSError, Unsupported) as error:
            log.warning("layer %s: index does not work: %s", record.chain_id, error)
            unmount_layer(place / ROOT)
            return False
        return True

    def _index_again(self, place: Path, record: _Record) -> None:
        with self._work_place() as work:
            work.mkdir(mode=0o700)
            index = TarIndex(_ACCEPTED)
            with closing(_Tar(place / TAR)) as tar:
                try:
                    index.run(TarStream(tar))
                except TarError as error:
                    raise _damaged(record.chain_id, str(error)) from error
                with closing(LowerView(self._lowers(record))) as below:
                    adjust_to_lowers(index.nodes, below)
                write_index_file(work, index.nodes, tar.size)
            (work / INDEX).chmod(0o400)
            (work / INDEX).rename(place / INDEX)
            replace(record, format=FORMAT, index_sha256=_sha256(place / INDEX)).write(place)

    def _extract(self, place: Path, record: _Record) -> LayerSummary:
        """Put an extracted tree in place of tar and index, so that an interruption leaves either."""
        with self._work_place() as work:
            summary = replace(self._fill(work, place, record), parent=record.parent)
            mark_opaque(work / ROOT, summary.opaque)
            (place / ROOT).rename(work / "empty")
            (work / ROOT).rename(place / ROOT)
            (work / CONTENT).rename(place / CONTENT)
            self._extracted.write_record(place, record.chain_id, summary)
        for name in (TAR, INDEX):
            (place / name).unlink(missing_ok=True)
        return with_own_files(summary, place)

    def _fill(self, work: Path, place: Path, record: _Record) -> LayerSummary:
        with closing(LayerTree(work, _ACCEPTED)) as tree, closing(_Tar(place / TAR)) as tar:
            try:
                tree.fill(tar)
            except TarError as error:
                raise _damaged(record.chain_id, str(error)) from error
            with closing(LowerView(self._lowers(record))) as below:
                return tree.settle(below)

    @contextlib.contextmanager
    def _work_place(self) -> Iterator[Path]:
        work = self._staging / f"mend-{secrets.token_hex(8)}"
        self._work.add(work.name)
        try:
            yield work
        finally:
            self._extracted.discard(work)
            self._work.discard(work.name)

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

    def set_aside(self, chain_id: str, place: Path) -> None:
        """Unmount a layer and move it; containers hold on to what they have mounted."""
        unmount_layer(self.place(chain_id) / ROOT)
        with contextlib.suppress(FileNotFoundError):
            self.place(chain_id).rename(place)

    def working(self) -> AbstractSet[str]:
        """Return the names under `staging` where layers are mended now."""
        return frozenset(self._work)

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


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_its_index(place: Path, record: _Record) -> bool:
    """Tell whether the index is the one that was written; 8 MB of it are 60 000 files."""
    try:
        whole = _sha256(place / INDEX) == record.index_sha256
    except OSError as error:
        log.warning("layer %s: index cannot be read: %s", record.chain_id, error)
        return False
    if not whole:
        log.warning("layer %s: index is damaged and made again from the tar", record.chain_id)
    return whole


def require_own_tar(tar: Path, chain_id: str, parent: str) -> None:
    """Refuse to go on with a tar that is not the layer's any more: what is made of it would be damaged too.

    Raises:
        FailedPrecondition: the tar is damaged.
    """
    for algorithm in ("sha256", "sha512"):
        for digits in tar_digests(tar, algorithm):
            if chain_of(parent, f"{algorithm}:{digits}") == chain_id:
                return
    raise _damaged(chain_id, "its tar has another digest than it must")


def _damaged(chain_id: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(
        chain_id,
        f"stored layer is damaged: {cause}",
        remedy="run 'lading image fsck --repair', or remove the image and pull it again",
        reason="LayerDamaged",
    )
