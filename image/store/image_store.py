"""The images of one root directory, as the daemon sees them.

Promise: questions are answered from memory at once; changes run in a thread and are whole when they return, even if
their caller is cancelled. Removal never takes content from a container that uses it. Never starts a pull: `image.pulls.puller`
hands finished layers and images over here.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakValueDictionary

from image.errors import ImageError, Internal
from image.model.digest import Digest, parse_digest
from image.model.records import FilesystemUsage, ImageRecord
from image.store.blob_flights import BlobFlights
from image.store.disk_report import DiskReport
from image.store.disk_trouble import is_disk_full
from image.store.fsck import Damage, Item
from image.store.image_commit import ImageCommit
from image.store.layer_choice import LayerChoice
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerSummary
from image.store.lower_view import LowerView
from image.store.partial_blobs import PartialBlobs, PartialLimits
from image.store.pull_blobs import PullBlobs
from image.store.staged_files import take_over
from image.store.store_files import StoreFiles

_Seen = TypeVar("_Seen")


class ImageStore:
    """One per root directory; open it with `open`."""

    def __init__(self, root: Path, files: StoreFiles, limits: PartialLimits) -> None:
        self.root = root
        self._files = files
        self._flights = BlobFlights()
        self._partials = PartialBlobs(root / "partial", limits)
        self._layer_changed = asyncio.Condition()
        self._mounting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    async def open(
        cls,
        root: Path,
        *,
        pinned: tuple[str, ...] = (),
        layer_store: str = "extract",
        partial_limits: PartialLimits | None = None,
    ) -> Self:
        """Open or create the store under `root`; `layer_store` is `auto`, `file`, `loop` or `extract`.

        Raises:
            FailedPrecondition: the database, or the way of keeping layers, cannot be used.
        """
        files = await asyncio.to_thread(StoreFiles, root, pinned, time.time_ns, layer_store)
        return cls(root, files, partial_limits or PartialLimits())

    def close(self) -> None:
        """Close the database; uses and images stay as they are."""
        self._files.close()

    @property
    def layer_choice(self) -> LayerChoice:
        """How layers are kept here."""
        return self._files.choice

    def list_images(self) -> tuple[ImageRecord, ...]:
        """Return all images, oldest pull first."""
        return self._files.catalogue.records()

    def find(self, text: str) -> ImageRecord | None:
        """Return the image that a tag, digest reference, short name, id or unique id prefix means.

        Raises:
            InvalidArgument: several images have ids that begin so.
        """
        return self._files.catalogue.find(text)

    async def remove(self, text: str) -> None:
        """Remove an image by id with all its names, or one name, and the image with the last; absent is fine.

        What containers use stays on disk until they are released. Names and layers are gone when this returns; the
        disk gets the space of what is large some time later.
        """
        await asyncio.to_thread(self._files.remove, text)

    async def wait_removed(self, seconds: float) -> bool:
        """Wait until the disk has the space of what was removed, but not longer; return whether it has."""
        return await asyncio.to_thread(self._files.wait_removed, seconds)

    async def acquire(self, image_id: str, container_id: str) -> tuple[Path, ...]:
        """Record that a container uses an image; return its directories for overlayfs, topmost first.

        Raises:
            NotFound: the image is not here.
            FailedPrecondition: its content is damaged.
        """
        # One thread for each image: a layer that is mended for minutes must not take them all.
        async with self._mounting.setdefault(image_id, asyncio.Lock()):
            return await asyncio.to_thread(self._files.acquire, image_id, container_id)

    async def release(self, container_id: str) -> None:
        """Forget a container's uses; what nothing needs any more is deleted. Repeating it is fine."""
        await asyncio.to_thread(self._files.release, container_id)

    async def reconcile(self, container_ids: frozenset[str]) -> None:
        """After a start: forget containers that are no more, and delete what a crash left behind."""
        await asyncio.to_thread(self._files.reconcile, container_ids)
        await self.collect_partials()

    async def collect(self, keep: frozenset[str] = frozenset()) -> int:
        """Delete what nothing needs but these layers; return how many things that were. What running pulls want stays."""
        await self.collect_partials()
        return await asyncio.to_thread(self._files.collect, keep)

    async def filesystem_usage(self) -> FilesystemUsage:
        """Return what everything below the root takes on the disk; finished layers are not walked again."""
        used_bytes, inodes = await asyncio.to_thread(self._files.usage)
        return FilesystemUsage(
            mountpoint=str(self.root),
            used_bytes=used_bytes,
            inodes_used=inodes,
            timestamp_ns=time.time_ns(),
        )

    def bytes_by_kind(self) -> dict[str, int]:
        """Return the bytes on disk by what they are: `images`, `unfinished`, `database`; never waits.

        The last two are as `filesystem_usage` measured them last.
        """
        return self._files.bytes_by_kind()

    @property
    def partial_directory(self) -> Path:
        """Where workers keep the bytes of downloads that have not become layers yet."""
        return self._partials.directory

    def partial_bytes(self) -> int:
        """Return what unfinished downloads take on disk, those of running pulls too."""
        return self._partials.bytes_on_disk()

    @property
    def resumed_bytes(self) -> int:
        """Bytes that pulls took from unfinished downloads instead of fetching them, since the start."""
        return self._flights.resumed_bytes

    async def collect_partials(self) -> int:
        """Delete unfinished downloads beyond their limits of size and age; return the bytes freed."""
        return await asyncio.to_thread(self._partials.collect, self._flights.is_wanted)

    async def drop_partials(self, *, dry_run: bool = False) -> int:
        """Delete unfinished downloads that no running pull needs; return the bytes freed."""
        drop = self._partials.idle_bytes if dry_run else self._partials.remove_idle
        return await asyncio.to_thread(drop, self._flights.is_wanted)

    async def report(self) -> DiskReport:
        """Return what is on disk layer by layer, and who uses it."""
        return await asyncio.to_thread(self._files.report)

    async def tag(self, text: str, name: str) -> ImageRecord:
        """Give the image that `text` means another name, which moves here if another image had it.

        Raises:
            NotFound: the image is not here.
        """
        return await asyncio.to_thread(self._files.tag, text, name)

    async def set_pins(self, patterns: tuple[str, ...]) -> None:
        """Replace the names, and globs of names, that mark images as pinned."""
        await asyncio.to_thread(self._files.set_pins, patterns)

    def suspects(self) -> frozenset[str]:
        """Return the ids of layers and images that were written before a stop that was not clean."""
        return self._files.suspects

    async def settle(self, digests: frozenset[str]) -> None:
        """Note that suspects were looked at."""
        await asyncio.to_thread(self._files.settle, digests)

    async def examine(self, item: Item) -> Damage | None:
        """Return what is wrong with something that images need, None when nothing is, or it is gone."""
        return await asyncio.to_thread(self._files.examine, item)

    async def renew(self, chain_id: str) -> None:
        """Make the index of a layer again from its tar; containers that run keep the old one.

        Raises:
            ImageError: that does not help; the layer must be fetched again.
        """
        await asyncio.to_thread(self._files.renew, chain_id)

    async def condemn(self, chain_id: str) -> None:
        """Take a damaged layer out, with the images that have it; containers that use it keep it as it is.

        Raises:
            FailedPrecondition: a pull or a starting container needs it this moment.
        """
        await asyncio.to_thread(self._files.condemn, chain_id)

    async def read_blob(self, digest: str) -> bytes:
        """Return a stored manifest or config, verified.

        Raises:
            OSError: it is not here.
            Internal: it is damaged.
        """
        return await asyncio.to_thread(self._files.read_blob, digest)

    async def begin_pull(self) -> "PullSpace":
        """Make room for one pull; close it, or use it as a context manager."""
        staging = await asyncio.to_thread(self._files.open_staging)
        blobs = PullBlobs(self._flights, self._partials)
        return PullSpace(self._files, staging, self._layer_changed, blobs)


class PullSpace:
    """One pull's part of the store: its staging directory, its claims on layers and its blobs."""

    def __init__(
        self, files: StoreFiles, staging: Path, changed: asyncio.Condition, blobs: PullBlobs
    ) -> None:
        self._files = files
        self._pulled: ImageRecord | None = None
        self.blobs = blobs
        self._changed = changed
        self._ticket = secrets.token_hex(8)
        self._publishing: set[asyncio.Future[None]] = set()
        self.staging = staging
        """Where the worker puts unfinished layers, one directory each."""

    async def claim(self, chain_ids: tuple[str, ...]) -> dict[str, ClaimState]:
        """Pin layers and learn which are present, this pull's to make, or made by another."""
        return await asyncio.to_thread(self._files.take_claims, self._ticket, chain_ids)

    async def wait_claim(self, chain_id: str) -> ClaimState:
        """Wait while another pull makes a layer; return whether it is present or now this pull's to make."""
        async with self._changed:
            while (state := (await self.claim((chain_id,)))[chain_id]) is ClaimState.BUSY:
                await self._changed.wait()
            return state

    async def publish_layer(self, staged_name: str, chain_id: str, summary: LayerSummary) -> None:
        """Publish a finished layer from the staging directory.

        Raises:
            Internal: the name is not one directory there, or the layer is not this pull's.
            ResourceExhausted: the disk is full.
        """
        staged = self._staged(staged_name, chain_id)
        publishing = asyncio.get_running_loop().run_in_executor(
            None,
            self._files.publish_layer,
            self._ticket,
            staged,
            chain_id,
            summary,
        )
        self._publishing.add(publishing)
        publishing.add_done_callback(self._publishing.discard)
        await asyncio.shield(publishing)
        await self._tell()

    async def seize(self, staged_name: str, chain_id: str) -> Path:
        """Take an unfinished layer away from the worker that made it, and return where it is.

        Raises:
            Internal: it is no directory of this pull, or holds anything but plain files.
        """
        staged = self._staged(staged_name, chain_id)
        await asyncio.to_thread(take_over, staged, chain_id)
        return staged

    def _staged(self, name: str, chain_id: str) -> Path:
        if not name.isalnum() or len(name) > 64:
            raise Internal(chain_id, "worker named an impossible staging directory")
        return self.staging / name

    async def look_below(
        self, chain_ids: Sequence[str], look: Callable[[LowerView], _Seen]
    ) -> _Seen:
        """Call `look`, in a thread, with what layers of this pull show together, given topmost first.

        Raises:
            Internal: a layer is not this pull's, or not published.
            OSError: a layer is damaged.
        """
        return await asyncio.to_thread(self._look_below, chain_ids, look)

    def _look_below(self, chain_ids: Sequence[str], look: Callable[[LowerView], _Seen]) -> _Seen:
        places = self._files.claimed_places(self._ticket, chain_ids)
        with contextlib.closing(LowerView(places)) as below:
            return look(below)

    async def commit(self, commit: ImageCommit) -> ImageRecord:
        """Register the finished image; content is durable before it is visible."""
        return await asyncio.to_thread(self._files.commit, commit)

    async def config_bytes(self, image_id: str) -> bytes | None:
        """Return the config of an image that is present already."""
        return await asyncio.to_thread(self._files.config_bytes, image_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(error)

    def pulled(self, record: ImageRecord) -> None:
        """Note that the image is here: nothing of its downloads is needed again."""
        self._pulled = record

    async def close(self, error: BaseException | None = None) -> None:
        """Give up claims, and delete what is unfinished, when nothing of it is being published any more.

        `error` tells why the pull has failed.
        """
        self.blobs.leave()
        if self._publishing:
            await asyncio.wait(self._publishing)
        await asyncio.to_thread(self._files.release_claims, self._ticket)
        await self._tell()
        await asyncio.to_thread(self._files.close_staging, self.staging)
        await self.blobs.clear(self._blobs_pulled(), error)
        if is_disk_full(error):
            # Its layers would keep others from working; what cannot be deleted now, the next round of collection does.
            with contextlib.suppress(ImageError, OSError):
                await asyncio.to_thread(self._files.collect)

    def _blobs_pulled(self) -> list[Digest] | None:
        if self._pulled is None:
            return None
        return [parse_digest(layer.digest) for layer in self._pulled.layers]

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
