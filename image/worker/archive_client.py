"""An archive in the place of a registry: what a pull asks, answered out of one file.

Promise: each blob is held against its digest, as one from a registry is; nothing is asked of the network. Docker's
archives have no manifest: one is made of config and layers as they lie there.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor
from image.model.digest import Digest, digest_algorithm, digest_hex, sha256_digest
from image.model.image_config import MAX_CONFIG_BYTES
from image.model.manifest import Manifest, parse_manifest
from image.model.media_types import DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST
from image.model.platform import Platform
from image.model.records import ARCHIVE, RegistryAuth
from image.model.reference import Reference
from image.registry.client import RegistryClient
from image.registry.download import RunningHash
from image.registry.resolved_image import ResolvedImage
from image.store.image_archive import ArchiveEntry, ImageArchive
from image.worker.archive_listing import choose_leaf, damaged, read_verified

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class ArchiveClient(RegistryClient):
    """Answers for one image of an archive."""

    def __init__(self, path: Path, position: int) -> None:
        # None of the registry's parts is made: every method that would use one is replaced.
        self._path = path
        self._position = position
        self._names: dict[Digest, str] = {}

    async def __aenter__(self) -> Self:
        self._archive = await asyncio.to_thread(ImageArchive, self._path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._archive.close()

    def source_of(self, digest: str) -> str:
        """A file is no endpoint."""
        return ""

    async def current_digest(
        self, reference: Reference, *, auth: RegistryAuth | None
    ) -> Digest | None:
        """An archive has no tags that could be asked for."""
        return None

    async def resolve(
        self,
        reference: Reference,
        *,
        platform: Platform,
        auth: RegistryAuth | None,
        require_schema2: bool = False,
    ) -> ResolvedImage:
        """Find the image of the platform.

        Raises:
            FailedPrecondition: the archive is no good, or has no such image.
            NotFound: it has the image for other platforms only.
        """
        return await asyncio.to_thread(self._resolve, reference, platform)

    async def fetch_config(self, image: ResolvedImage) -> bytes:
        """Return the config, verified.

        Raises:
            FailedPrecondition: it is not there, too large, or another one.
        """
        return await asyncio.to_thread(self._read, image.config.digest, MAX_CONFIG_BYTES)

    async def download(
        self,
        image: ResolvedImage,
        layer: Descriptor,
        *,
        offset: int = 0,
        known: RunningHash | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield a layer's bytes.

        Raises:
            FailedPrecondition: after the last byte, when they are others than the archive said.
        """
        found = hashlib.new(digest_algorithm(layer.digest))
        pieces = self._archive.pieces(self._member(layer.digest), offset)
        while piece := await asyncio.to_thread(next, pieces, b""):
            found.update(piece)
            yield piece
        if not offset and found.hexdigest() != digest_hex(layer.digest):
            raise damaged(layer.digest)

    def _resolve(self, reference: Reference, platform: Platform) -> ResolvedImage:
        entries = self._archive.entries()
        if not 0 <= self._position < len(entries):
            raise FailedPrecondition("image archive", f"has no image {self._position}")
        entry = entries[self._position]
        if entry.descriptor is None:
            return self._docker_image(reference, entry)
        return self._oci_image(reference, entry.descriptor, platform, is_remade=entry.is_remade)

    def _oci_image(
        self, reference: Reference, target: Descriptor, platform: Platform, *, is_remade: bool
    ) -> ResolvedImage:
        leaf, manifest = choose_leaf(self._archive, target, platform, reference.digest)
        raw = read_verified(self._archive, leaf.digest)
        known = leaf.digest if reference.digest else target.digest
        resolved = _resolved(reference, known, raw, manifest)
        return replace(resolved, has_registry_digest=not is_remade)

    def _docker_image(self, reference: Reference, entry: ArchiveEntry) -> ResolvedImage:
        config = self._archive.read(entry.config, MAX_CONFIG_BYTES)
        self._names[sha256_digest(config)] = entry.config
        layers = [self._hashed(name) for name in entry.layers]
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": _fields(DOCKER_CONFIG, sha256_digest(config), len(config)),
            "layers": layers,
        }
        raw = json.dumps(document, separators=(",", ":")).encode()
        manifest = parse_manifest(raw, subject=str(reference))
        assert isinstance(manifest, Manifest)
        resolved = _resolved(reference, sha256_digest(raw), raw, manifest)
        return replace(resolved, has_registry_digest=False)  # it was made just now

    def _hashed(self, name: str) -> dict[str, object]:
        """Describe a layer of a docker archive, which says no digests."""
        found, head = hashlib.sha256(), b""
        for piece in self._archive.pieces(name):
            head = head or piece[:2]
            found.update(piece)
        digest = Digest(f"sha256:{found.hexdigest()}")
        self._names[digest] = name
        kind = DOCKER_LAYER_GZIP if head == b"\x1f\x8b" else _DOCKER_LAYER
        return _fields(kind, digest, self._archive.size(name))

    def _member(self, digest: Digest) -> str:
        return self._names.get(digest) or self._archive.blob(digest)

    def _read(self, digest: Digest, limit: int) -> bytes:
        return read_verified(self._archive, digest, limit, self._member(digest))


def _fields(media_type: str, digest: Digest, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _resolved(
    reference: Reference, target: Digest, raw: bytes, manifest: Manifest
) -> ResolvedImage:
    return ResolvedImage(
        reference=reference,
        target_digest=target,
        manifest_digest=sha256_digest(raw),
        manifest_bytes=raw,
        manifest=manifest,
        config=manifest.config,
        layers=manifest.layers,
        endpoint_url=ARCHIVE,
    )
