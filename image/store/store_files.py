"""The image store's blocking half: database, layers and blobs changed together, one change at a time.

Promise: content is durable before the row that names it, and rows are gone before the content they named; so a crash
leaves at worst content without a row, which `reconcile` removes. Each method is one whole change under one lock, so a
caller that is cancelled while a thread runs it loses nothing. What can take long (mounting, mending, hashing, deleting)
is done without the lock, on layers that are pinned meanwhile. Never waits for the network or another pull.
"""

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from image.errors import FailedPrecondition, ImageError, Internal, NotFound
from image.model.records import ImageRecord
from image.store.blob_files import BlobFiles
from image.store.catalogue import Catalogue
from image.store.disk_report import DiskReport
from image.store.disk_trouble import disk_told
from image.store.documents import Documents
from image.store.erofs_layers import ErofsLayers
from image.store.fsck import Damage, Item, damage_of
from image.store.image_commit import ImageCommit
from image.store.image_index import ImageIndex
from image.store.layer_choice import choose_layers
from image.store.layer_claims import ClaimState, LayerClaims
from image.store.layer_stack import show_layers
from image.store.layer_store import LayerStore, LayerSummary
from image.store.removal_queue import RemovalQueue
from image.store.space_use import SpaceUse, measure

log = logging.getLogger(__name__)

_DIRECTORIES = ("blobs", "layers", "staging", "partial", "replaced", "empty")


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
        self._replaced = root / "replaced"
        self._documents = Documents(BlobFiles(root / "blobs"))
        self._index = ImageIndex(root / "images.db")
        self.choice = choose_layers(self._staging, layer_store)
        self._index.keep_reserve()
        self._layers: LayerStore = ErofsLayers(
            root / "layers", self._staging, self.choice.mode, self._note_change
        )
        self._removals = RemovalQueue(lambda path: self._discard((path,)))
        self._claims = LayerClaims()
        self._leasing: dict[str, bool] = {}
        """Containers whose image is being mounted: whether they still want it."""
        self._opaque: frozenset[str] = frozenset()
        self._totals = (0, 0)
        self._rest = SpaceUse()
        self.catalogue = Catalogue(())
        self.suspects = self._index.touched()
        """Content that was written before a stop that was not clean, until it is `settle`d."""
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
                self._index.settle(self._index.touched() - self.suspects)
            finally:
                self._index.close()

    def _reload(self) -> None:
        self.catalogue = self._documents.catalogue(
            self._index.images(), self._index.layer_bytes(), self._pinned, self.catalogue
        )
        self._opaque = self._index.opaque_layers()
        self._totals = self._index.totals()

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """Hold the lock, tell a full disk as such, and show the outcome to readers."""
        with self._lock, disk_told(self._root):
            try:
                yield
            finally:
                self._reload()

    @contextlib.contextmanager
    def _held(self, *chain_ids: str) -> Iterator[bool]:
        """Keep layers from being removed meanwhile; tells whether all of them are here."""
        ticket = f"held-{secrets.token_hex(8)}"
        with self._lock:
            here = self._index.layers().issuperset(chain_ids)
            self._claims.pin(ticket, chain_ids)
        try:
            with disk_told(self._root):
                yield here
        finally:
            self.release_claims(ticket)

    def _note_change(self, chain_id: str, summary: LayerSummary) -> None:
        with self._change():
            self._index.replace_layer(chain_id, summary)

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

    def claimed_places(self, ticket: str, chain_ids: Sequence[str]) -> list[Path]:
        """Return where published layers are that a pull has asked for."""
        with self._lock:
            self._claims.check_claimed(ticket, chain_ids, self._index.layers())
        return [self._layers.place(one) for one in chain_ids]

    def publish_layer(
        self, ticket: str, staged: Path, chain_id: str, summary: LayerSummary
    ) -> None:
        """Publish a layer that a pull has made."""
        with self._lock:
            if not self._claims.owns(ticket, chain_id):
                raise Internal(chain_id, "layer was published by a pull that had not claimed it")
            if summary.parent and summary.parent not in self._index.layers():
                raise Internal(chain_id, "layer was made above one that is not here")
        with disk_told(self._root):
            published = self._layers.publish(staged, chain_id, summary)
        with self._change():
            # A pull that was given up meanwhile leaves content without a row, for the next collection.
            if self._claims.owns(ticket, chain_id):
                self._index.add_layer(chain_id, published)
                self._claims.settle(chain_id)

    def commit(self, commit: ImageCommit) -> ImageRecord:
        """Register an image whose layers are all published."""
        with self._change():
            missing = {layer.chain_id for layer in commit.layers} - self._index.layers()
            if missing:
                raise Internal(commit.config_digest, f"lacks the layers {sorted(missing)}")
            self._documents.write(commit)
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
            return self._documents.read(image_id)
        except (OSError, ImageError):
            return None

    # What containers and operators need -----------------------------------------------------

    def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Record a use and return the image's directories, topmost first."""
        record = self.catalogue.by_id(image_id)
        if record is None:
            raise NotFound(image_id, "image is not on this node", remedy="pull it")
        chain_ids = [layer.chain_id for layer in record.layers]
        with self._held(*chain_ids) as here:
            if not here:
                raise NotFound(image_id, "image was removed this moment", remedy="pull it")
            with self._lock:
                self._leasing[container_id] = True
            try:
                shown = show_layers(self._layers.attach, record.id, chain_ids, self._opaque)
                with self._lock:  # readers see nothing of it
                    if self._leasing[container_id]:
                        self._index.add_uses(container_id, chain_ids)
            finally:
                with self._lock:
                    self._leasing.pop(container_id, None)
        # An image without layers is an empty directory, never the store's own (security rule A4).
        return shown or (self._root / "empty",)

    def release(self, container_id: str) -> None:
        """Forget a container's uses and delete what nothing needs any more."""
        with self._lock, disk_told(self._root):
            if container_id in self._leasing:
                self._leasing[container_id] = False
            unneeded = self._index.remove_uses(container_id, self._claims.pinned())
            retired = self._retire(unneeded) + self._unused_replaced()
            if unneeded:
                self._reload()
        self._removals.delete(retired)

    def remove(self, text: str) -> None:
        """Remove an image by id, or one of its names; absent ones are fine."""
        with self._change():
            record = self.catalogue.find(text)
            if record is None:
                return
            names = self.catalogue.doomed_names(text, record)
            unneeded = self._index.remove_names(record.id, names, self._claims.pinned())
            retired = self._retire(unneeded)
            self._documents.drop(record, self._index.images())
        self._removals.delete(retired)

    def wait_removed(self, seconds: float) -> bool:
        """Wait until what was removed is off the disk, but not longer; return whether it is."""
        return self._removals.wait(seconds)

    def report(self) -> DiskReport:
        """Return what is on disk, and who uses it."""
        with self._lock:
            return self._index.report(self._documents.bytes_by_image())

    def usage(self) -> tuple[int, int]:
        """Measure (bytes, inodes) of everything below the root; takes milliseconds."""
        self._rest = rest = measure(self._root)
        used, inodes = self._totals
        return used + rest.used_bytes, inodes + rest.inodes

    def bytes_by_kind(self) -> dict[str, int]:
        """Return bytes by what they are: images by the accounts, the rest as measured last."""
        return {
            "images": self._totals[0] + sum(self._documents.bytes_by_image().values()),
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
        return self._documents.read(digest)

    # What is damaged ------------------------------------------------------------------------

    def examine(self, item: Item) -> Damage | None:
        """Return what is wrong with something that images need; nothing is when it was removed meanwhile."""
        is_layer = item.kind == "layer"
        with self._held(*((item.digest,) if is_layer else ())) as here:
            damage = damage_of(item) if here else None
        gone = all(self.catalogue.by_id(image_id) is None for image_id in item.images)
        return None if gone and not is_layer else damage

    def settle(self, digests: frozenset[str]) -> None:
        """Note that contents were looked at."""
        with self._change():
            self._index.settle(digests)
            self.suspects -= digests

    def renew(self, chain_id: str) -> None:
        """Make the index of a layer again; containers that run keep the old one."""
        with self._held(chain_id):
            self._layers.renew(chain_id)

    def condemn(self, chain_id: str) -> None:
        """Take a damaged layer out, with the images that have it; containers that use it keep it as it is."""
        with self._change():
            if chain_id not in self._index.layers():
                return
            pinned = self._claims.pinned()
            if chain_id in pinned:
                raise FailedPrecondition(
                    chain_id,
                    "is needed now by a pull or by a container that starts",
                    remedy="try again",
                    reason="LayerBusy",
                )
            directory = f"{self._layers.place(chain_id).name}-{secrets.token_hex(4)}"
            used, unneeded = self._index.condemn(chain_id, directory, pinned)
            if used:
                self._layers.set_aside(chain_id, self._replaced / directory)
            retired = self._retire((*unneeded, chain_id))
            self._documents.keep_only(self._index.images())
        self._discard(retired)

    # What nothing needs ---------------------------------------------------------------------

    def _retire(self, chain_ids: tuple[str, ...]) -> tuple[Path, ...]:
        """Free the names under the lock, so that a new pull of the same layer starts clean."""
        retired = self._layers.retire(chain_ids)
        self._active.update(path.name for path in retired)
        return retired

    def _unused_replaced(self) -> tuple[Path, ...]:
        used = self._index.replaced().keys() | self._active
        unused = tuple(path for path in self._replaced.iterdir() if path.name not in used)
        self._active.update(path.name for path in unused)
        return unused

    def _discard(self, retired: tuple[Path, ...]) -> None:
        try:
            for path in retired:
                self._layers.discard(path)
        finally:
            with self._lock:  # nobody else may be in the middle of using the reserve
                self._active.difference_update(path.name for path in retired)
                self._index.keep_reserve()

    def reconcile(self, container_ids: frozenset[str]) -> None:
        """Bring database, disk and the containers that exist into agreement after a stop or crash."""
        with self._change():
            self._finish_condemning()
            self._index.forget_layers(self._index.layers() - self._layers.chain_ids())
            damaged = self._documents.damaged
            # Layers that a crash took from their pull stay for its next attempt, until the next collection.
            self._index.reconcile(container_ids, damaged, self._claims.pinned() | self.suspects)
            for image_id, cause in damaged.items():
                log.error("image %s is damaged and forgotten: %s", image_id, cause)
            damaged.clear()
            unneeded = self._sweep()
        self._discard(unneeded)

    def _finish_condemning(self) -> None:
        present, known = self._layers.chain_ids(), self._index.layers()
        for directory, chain_id in self._index.replaced().items():
            if not (self._replaced / directory).exists() and chain_id in present - known:
                self._layers.set_aside(chain_id, self._replaced / directory)

    def collect(self, keep: frozenset[str] = frozenset()) -> int:
        """Delete what no image, container or running pull needs, but these layers; return how many things that were."""
        with self._change():
            self._index.drop_unneeded(self._claims.pinned() | keep)
            unneeded = self._sweep()
        self._discard(unneeded)
        return len(unneeded)

    def _sweep(self) -> tuple[Path, ...]:
        """Move away what no row names, and return it to be discarded."""
        needed = self._index.layers() | self._claims.pinned()
        retired = self._retire(tuple(self._layers.chain_ids() - needed))
        self._documents.keep_only(self._index.images())
        busy = self._active | self._layers.working()
        leftovers = tuple(path for path in self._staging.iterdir() if path.name not in busy)
        self._active.update(path.name for path in leftovers)
        return (*retired, *leftovers, *self._unused_replaced())
