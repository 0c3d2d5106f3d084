"""The image store's blocking half: database, layers and blobs changed together, one change at a time.

Promise: content is durable before the row that names it, and rows are gone before the content they named; so a crash
leaves at worst content without a row, which `reconcile` removes. Each method is one whole change under one lock, so a
caller that is cancelled while a thread runs it loses nothing. Never waits for the network or another pull.
"""

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from image.errors import FailedPrecondition, ImageError, Internal, NotFound, ResourceExhausted
from image.model.digest import parse_digest
from image.model.image_config import ImageConfig, parse_image_config
from image.model.records import ImageRecord
from image.store.blob_files import BlobFiles
from image.store.catalogue import Catalogue, record_of
from image.store.disk_report import DiskReport
from image.store.erofs_layers import ErofsLayers
from image.store.image_commit import ImageCommit
from image.store.image_index import ImageIndex, IndexedImage
from image.store.layer_choice import choose_layers
from image.store.layer_claims import ClaimState, LayerClaims
from image.store.layer_store import LayerStore, LayerSummary
from image.store.space_use import SpaceUse, measure

_DIRECTORIES = ("blobs", "layers", "staging", "empty")


class StoreFiles:
    """Everything under one root directory. Methods block; call them in a thread."""

    def __init__(
        self,
        root: Path,
        pinned: tuple[str, ...],
        clock: Callable[[], int],
        layer_store: str = "extract",
    ) -> None:
        self._root = root
        self._pinned = pinned
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._prepare_directories()
        self._staging = root / "staging"
        self._active: set[str] = set()
        self._blobs = BlobFiles(root / "blobs")
        self._index = ImageIndex(root / "images.db")
        self.choice = choose_layers(self._staging, layer_store)
        self._layers: LayerStore = ErofsLayers(
            root / "layers", self._staging, self.choice.mode, self._index.replace_layer
        )
        self._claims = LayerClaims()
        self._configs: dict[str, ImageConfig] = {}
        self._opaque: frozenset[str] = frozenset()
        self._blob_bytes: dict[str, int] = {}
        self._totals = (0, 0)
        self._rest = SpaceUse()
        self.catalogue = Catalogue(())
        self.damaged: dict[str, str] = {}
        """Images whose config cannot be read, and why; `reconcile` forgets them."""
        self._reload()

    def _prepare_directories(self) -> None:
        for path in (self._root, *(self._root / name for name in _DIRECTORIES)):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)  # repairs an older store, whatever the umask (security rule H2)
        # It becomes a container's root, which users other than root must be able to enter.
        (self._root / "empty").chmod(0o755)

    def close(self) -> None:
        """Unmount what no container uses, and close the database. Repeating it is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._layers.detach_idle(self._index.used_layers())
            finally:
                self._index.close()

    def _reload(self) -> None:
        sizes = self._index.layer_bytes()
        records = [r for indexed in self._index.images() if (r := self._record(indexed, sizes))]
        self._configs = {record.id: record.config for record in records}
        self._blob_bytes = {record.id: self._blob_bytes[record.id] for record in records}
        self._opaque = self._index.opaque_layers()
        self._totals = self._index.totals()
        self.catalogue = Catalogue(records)

    def _record(self, indexed: IndexedImage, sizes: Mapping[str, int]) -> ImageRecord | None:
        config = self._configs.get(indexed.id)
        if config is None:
            try:
                config = parse_image_config(self._blobs.read(parse_digest(indexed.id)))
            except (OSError, ImageError) as error:
                self.damaged[indexed.id] = str(error)
                return None
        old = self.catalogue.by_id(indexed.id)
        if old is None or old.manifest_digest != indexed.manifest_digest:
            digests = (parse_digest(indexed.id), parse_digest(indexed.manifest_digest))
            self._blob_bytes[indexed.id] = self._blobs.allocated(*digests)
        layers = {layer.chain_id for layer in indexed.layers}
        on_disk = self._blob_bytes[indexed.id] + sum(sizes.get(one, 0) for one in layers)
        new = record_of(indexed, config, self._pinned, on_disk)
        return old if old == new else new  # what was translated for the old one is of use still

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """Hold the lock, tell a full disk as such, and show the outcome to readers."""
        with self._lock:
            try:
                yield
            except OSError as error:
                raise _translated(error, self._root) from error
            finally:
                self._reload()

    # What pulls need ------------------------------------------------------------------------

    def open_staging(self) -> Path:
        """Make a directory for one pull's unfinished layers."""
        path = self._staging / f"pull-{secrets.token_hex(8)}"
        with self._change():
            path.mkdir(mode=0o700)
            self._active.add(path.name)
        return path

    def close_staging(self, path: Path) -> None:
        """Delete what a pull left unfinished."""
        self._layers.discard(path)
        with self._lock:
            self._active.discard(path.name)

    def take_claims(self, ticket: str, chain_ids: tuple[str, ...]) -> dict[str, ClaimState]:
        """Pin layers for a pull and say which of them it has to make."""
        with self._lock:
            states = self._claims.take(ticket, chain_ids, self._index.layers())
            if any(state is not ClaimState.PRESENT for state in states.values()):
                self._show_present(states)
            return states

    def _show_present(self, states: dict[str, ClaimState]) -> None:
        """Attach layers on which new ones will stand: their builder looks into them."""
        for chain_id, state in states.items():
            if state is ClaimState.PRESENT:
                # A damaged one is told when the builder, or a container, needs it.
                with contextlib.suppress(OSError, ImageError):
                    self._layers.attach(chain_id)

    def release_claims(self, ticket: str) -> None:
        """Give up a pull's pins and claims."""
        with self._lock:
            self._claims.release(ticket)

    def place(self, chain_id: str) -> Path:
        """Return where a layer is or will be published."""
        return self._layers.place(chain_id)

    def publish_layer(
        self, ticket: str, staged: Path, chain_id: str, summary: LayerSummary
    ) -> None:
        """Publish a layer that a pull has made."""
        with self._change():
            if not self._claims.owns(ticket, chain_id):
                raise Internal(chain_id, "layer was published by a pull that had not claimed it")
            if summary.parent and summary.parent not in self._index.layers():
                raise Internal(chain_id, "layer was made above one that is not here")
            self._index.add_layer(chain_id, self._layers.publish(staged, chain_id, summary))
            self._claims.settle(chain_id)

    def commit(self, commit: ImageCommit) -> ImageRecord:
        """Register an image whose layers are all published."""
        with self._change():
            missing = {layer.chain_id for layer in commit.layers} - self._index.layers()
            if missing:
                raise Internal(commit.config_digest, f"lacks the layers {sorted(missing)}")
            self._blobs.write(parse_digest(commit.config_digest), commit.config)
            self._blobs.write(parse_digest(commit.manifest_digest), commit.manifest)
            self._configs[commit.config_digest] = parse_image_config(commit.config)
            self._index.add_image(commit, self._clock())
        record = self.catalogue.by_id(commit.config_digest)
        if record is None:
            raise Internal(commit.config_digest, "image is gone right after it was registered")
        return record

    def config_bytes(self, image_id: str) -> bytes | None:
        """Return the config of an image that is present."""
        if self.catalogue.by_id(image_id) is None:
            return None
        try:
            return self._blobs.read(parse_digest(image_id))
        except (OSError, ImageError):
            return None

    # What containers and operators need -----------------------------------------------------

    def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Record a use and return the image's directories, topmost first."""
        with self._change():
            record = self.catalogue.by_id(image_id)
            if record is None:
                raise NotFound(image_id, "image is not on this node", remedy="pull it")
            chain_ids = [layer.chain_id for layer in record.layers]
            directories = self._attach(record.id, chain_ids)
            self._index.add_uses(container_id, chain_ids)
        return directories

    def _attach(self, image_id: str, chain_ids: list[str]) -> tuple[Path, ...]:
        directories = []
        for chain_id in reversed(chain_ids):
            try:
                directories.append(self._layers.attach(chain_id))
            except FileNotFoundError as error:
                raise FailedPrecondition(
                    image_id,
                    f"layer {chain_id} is missing from the store",
                    remedy="remove the image and pull it again",
                    reason="LayerMissing",
                ) from error
            if chain_id in self._opaque:
                # overlayfs ignores the mark on a layer's root, so what lies below is left out here.
                break
        # An image without layers is an empty directory, never the store's own (security rule A4).
        return tuple(directories) or (self._root / "empty",)

    def release(self, container_id: str) -> None:
        """Forget a container's uses and delete what nothing needs any more."""
        with self._change():
            retired = self._retire(self._index.remove_uses(container_id, self._claims.pinned()))
        self._discard(retired)

    def remove(self, text: str) -> None:
        """Remove an image by id, or one of its names; absent ones are fine."""
        with self._change():
            record = self.catalogue.find(text)
            if record is None:
                return
            names = self.catalogue.doomed_names(text, record)
            unneeded = self._index.remove_names(record.id, names, self._claims.pinned())
            retired = self._retire(unneeded)
            self._drop_blobs(record)
        self._discard(retired)

    def report(self) -> DiskReport:
        """Return what is on disk, and who uses it."""
        with self._lock:
            return self._index.report(dict(self._blob_bytes))

    def usage(self) -> tuple[int, int]:
        """Measure (bytes, inodes) of everything below the root; takes milliseconds."""
        self._rest = rest = measure(self._root)
        used, inodes = self._totals
        return used + rest.used_bytes, inodes + rest.inodes

    def bytes_by_kind(self) -> dict[str, int]:
        """Return bytes by what they are: images by the accounts, the rest as measured last."""
        return {
            "images": self._totals[0] + sum(self._blob_bytes.values()),
            "unfinished": self._rest.unfinished,
            "database": self._rest.database,
        }

    def tag(self, text: str, name: str) -> ImageRecord:
        """Give an image another name."""
        with self._change():
            record = self.catalogue.find(text)
            if record is None:
                raise NotFound(text, "image is not on this node", remedy="pull it")
            self._index.add_name(name, record.id)
        return self.catalogue.by_id(record.id) or record

    def set_pins(self, patterns: tuple[str, ...]) -> None:
        """Replace the names and patterns that pin images."""
        with self._change():
            self._pinned = patterns

    def read_blob(self, digest: str) -> bytes:
        """Return a manifest or config, verified."""
        return self._blobs.read(parse_digest(digest))

    def _drop_blobs(self, record: ImageRecord) -> None:
        wanted = self._wanted_blobs()
        self._blobs.remove({record.id, record.manifest_digest} - wanted)

    def _wanted_blobs(self) -> set[str]:
        images = self._index.images()
        return {image.id for image in images} | {image.manifest_digest for image in images}

    def _retire(self, chain_ids: tuple[str, ...]) -> tuple[Path, ...]:
        """Free the names under the lock, so that a new pull of the same layer starts clean."""
        return self._layers.retire(chain_ids)

    def _discard(self, retired: tuple[Path, ...]) -> None:
        for path in retired:
            self._layers.discard(path)

    def reconcile(self, container_ids: frozenset[str]) -> None:
        """Bring database, disk and the containers that exist into agreement after a stop or crash."""
        with self._change():
            self._index.forget_layers(self._index.layers() - self._layers.chain_ids())
            self._index.reconcile(container_ids, self.damaged, self._claims.pinned())
            self.damaged.clear()
            unneeded = self._sweep()
        self._discard(unneeded)

    def collect(self) -> int:
        """Delete what neither an image, a container nor a running pull needs; return how many things that were."""
        with self._change():
            self._index.drop_unneeded(self._claims.pinned())
            unneeded = self._sweep()
        self._discard(unneeded)
        return len(unneeded)

    def _sweep(self) -> tuple[Path, ...]:
        """Move away what no row names, and return it to be discarded."""
        needed = self._index.layers() | self._claims.pinned()
        retired = self._retire(tuple(self._layers.chain_ids() - needed))
        self._blobs.keep_only(self._wanted_blobs())
        moved = {path.name for path in retired}
        leftovers = (p for p in self._staging.iterdir() if p.name not in moved | self._active)
        return (*retired, *leftovers)


def _translated(error: OSError, root: Path) -> ImageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            str(root), "disk is full", remedy="remove images or free space", reason="DiskFull"
        )
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(root)
    return Internal(name, f"image store: {error.strerror or error}")
