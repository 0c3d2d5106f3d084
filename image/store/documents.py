"""Manifests and configs of the images that are here: read once, verified, and measured.

Promise: a record is made of a config that has its digest; an image whose config cannot be read is noted as damaged and
not shown. A record that has not changed stays the same object, so that what was made of it is of use still.
"""

from collections.abc import Iterable, Mapping

from image.errors import ImageError
from image.model.digest import parse_digest
from image.model.image_config import ImageConfig, parse_image_config
from image.model.records import ImageRecord
from image.store.blob_files import BlobFiles
from image.store.catalogue import Catalogue, record_of
from image.store.image_commit import ImageCommit
from image.store.image_index import IndexedImage


class Documents:
    """The documents of one store. The caller serialises changes."""

    def __init__(self, blobs: BlobFiles) -> None:
        self._blobs = blobs
        self._configs: dict[str, ImageConfig] = {}
        self._bytes: dict[str, int] = {}
        self.damaged: dict[str, str] = {}
        """Images whose config cannot be read, and why."""

    def write(self, commit: ImageCommit) -> None:
        """Keep the documents of an image durably."""
        self._blobs.write(parse_digest(commit.config_digest), commit.config)
        self._blobs.write(parse_digest(commit.manifest_digest), commit.manifest)
        self._configs[commit.config_digest] = parse_image_config(commit.config)
        self._bytes.pop(commit.config_digest, None)

    def read(self, digest: str) -> bytes:
        """Return a manifest or config, verified."""
        return self._blobs.read(parse_digest(digest))

    def bytes_by_image(self) -> dict[str, int]:
        """Return what manifest and config take on the disk, by image id."""
        return dict(self._bytes)

    def catalogue(
        self,
        images: Iterable[IndexedImage],
        layer_bytes: Mapping[str, int],
        pinned: tuple[str, ...],
        before: Catalogue,
    ) -> Catalogue:
        """Return all images that can be shown; `before` is what was shown last."""
        found = (self._record(one, layer_bytes, pinned, before) for one in images)
        records = [record for record in found if record is not None]
        self._configs = {record.id: record.config for record in records}
        self._bytes = {record.id: self._bytes[record.id] for record in records}
        return Catalogue(records)

    def _record(
        self,
        indexed: IndexedImage,
        layer_bytes: Mapping[str, int],
        pinned: tuple[str, ...],
        before: Catalogue,
    ) -> ImageRecord | None:
        config = self._configs.get(indexed.id)
        if config is None:
            try:
                config = parse_image_config(self.read(indexed.id))
            except (OSError, ImageError) as error:
                self.damaged[indexed.id] = str(error)
                return None
        if indexed.id not in self._bytes:
            digests = (parse_digest(indexed.id), parse_digest(indexed.manifest_digest))
            self._bytes[indexed.id] = self._blobs.allocated(*digests)
        layers = {layer.chain_id for layer in indexed.layers}
        on_disk = self._bytes[indexed.id] + sum(layer_bytes.get(one, 0) for one in layers)
        new = record_of(indexed, config, pinned, on_disk)
        old = before.by_id(indexed.id)
        return old if old == new else new

    def keep_only(self, images: Iterable[IndexedImage]) -> None:
        """Remove every document that none of the images has, rests of crashes included."""
        listed = tuple(images)
        digests = {image.id for image in listed} | {image.manifest_digest for image in listed}
        self._blobs.keep_only(digests)

    def drop(self, record: ImageRecord, images: Iterable[IndexedImage]) -> None:
        """Remove the documents of an image as far as none of the images has them."""
        listed = tuple(images)
        wanted = {image.id for image in listed} | {image.manifest_digest for image in listed}
        self._blobs.remove({record.id, record.manifest_digest} - wanted)
