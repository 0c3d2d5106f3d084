"""All images at one moment, found by any of their names.

Pure and immutable: a change of the store makes a new catalogue, so readers need no lock. An image is the same record
whichever name it was asked by.
"""

import fnmatch
import re
from collections.abc import Iterable

from image.errors import InvalidArgument
from image.model.image_config import ImageConfig
from image.model.records import ImageRecord
from image.model.reference import parse_reference
from image.store.image_index import IndexedImage

_ID_PREFIX = re.compile(r"[0-9a-f]{4,64}")
"""Shorter ones are more likely a typing error than an id; `crictl` shows 13 characters."""


class Catalogue:
    """The images of a store."""

    def __init__(self, records: Iterable[ImageRecord]) -> None:
        self._by_id = {record.id: record for record in records}
        self._by_name = {
            name: record
            for record in self._by_id.values()
            for name in (*record.repo_tags, *record.repo_digests)
        }

    def records(self) -> tuple[ImageRecord, ...]:
        """Return all images, oldest pull first."""
        return tuple(self._by_id.values())

    def by_id(self, image_id: str) -> ImageRecord | None:
        """Return the image with this full id."""
        return self._by_id.get(image_id)

    def find(self, text: str) -> ImageRecord | None:
        """Return the image that `text` means: a tag, digest reference or short name, an id or its unique prefix.

        Raises:
            InvalidArgument: several images have ids that begin so.
        """
        digits = text.removeprefix("sha256:")
        if digits == text and (named := self._by_name.get(self.name_of(text))) is not None:
            return named
        if not _ID_PREFIX.fullmatch(digits):
            return None
        if len(digits) == 64:
            return self._by_id.get(f"sha256:{digits}")
        return self._only(text, [i for i in self._by_id if i.startswith(f"sha256:{digits}")])

    def _only(self, text: str, ids: list[str]) -> ImageRecord | None:
        if len(ids) > 1:
            raise InvalidArgument(
                f"image id {text!r}",
                f"is the beginning of {len(ids)} ids",
                remedy="write more of its digits",
                reason="AmbiguousImageId",
                details=tuple(ids[:5]),
            )
        return self._by_id[ids[0]] if ids else None

    @staticmethod
    def name_of(text: str) -> str:
        """Return the normalised form of a reference, empty when it is none."""
        try:
            return str(parse_reference(text))
        except InvalidArgument:
            return ""

    def doomed_names(self, text: str, record: ImageRecord) -> tuple[str, ...]:
        """Return the names that go when `text` is removed: one tag, or all of them when it is an id.

        With the last tag of a repository go its digests too: nobody who removes the tag expects the image to stay.
        """
        name = self.name_of(text)
        if self._by_name.get(name) is not record:
            return (*record.repo_tags, *record.repo_digests)
        if name not in record.repo_tags:
            return (name,)
        repository = name.rpartition(":")[0]
        siblings = [t for t in record.repo_tags if t.rpartition(":")[0] == repository]
        if len(siblings) > 1:
            return (name,)
        digests = [d for d in record.repo_digests if d.partition("@")[0] == repository]
        return (name, *digests)


def record_of(
    indexed: IndexedImage, config: ImageConfig, pinned: tuple[str, ...], disk_bytes: int = 0
) -> ImageRecord:
    """Join what the database and the config say about an image."""
    tags = tuple(sorted(name for name in indexed.names if "@" not in name))
    digests = tuple(sorted(name for name in indexed.names if "@" in name))
    return ImageRecord(
        id=indexed.id,
        manifest_digest=indexed.manifest_digest,
        repo_tags=tags,
        repo_digests=digests,
        size_bytes=indexed.blob_bytes + sum(layer.size_bytes for layer in indexed.layers),
        config=config,
        disk_bytes=disk_bytes,
        layers=indexed.layers,
        source=indexed.source,
        config_source=indexed.config_source,
        pinned=any(is_pinned(name, pinned) for name in (*tags, *digests)),
    )


def is_pinned(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a pattern of the settings, a name or a glob with `*`, means this normalised name."""
    return any(
        fnmatch.fnmatchcase(name, pattern) if "*" in pattern else Catalogue.name_of(pattern) == name
        for pattern in patterns
    )
