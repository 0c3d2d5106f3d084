"""Layers of docker schema 1, whose sizes and diff ids nobody has written down: fetched first, then measured.

Promise: afterwards the image is as one of schema 2, with a config made here, and the blobs lie in the staging directory
to be unpacked from there. Blobs whose diff id a stored image knows are not fetched (pull rule 1.8, 1.18).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from image.errors import FailedPrecondition, ResourceExhausted
from image.model.descriptor import Descriptor
from image.model.digest import digest_hex, sha256_digest
from image.model.media_types import DOCKER_CONFIG, DOCKER_LAYER_GZIP
from image.model.records import LayerRecord
from image.model.schema1 import Schema1Manifest, schema1_config
from image.registry.resolved_image import ResolvedImage
from image.worker.inflate import CHUNK, InflateError, inflated

NOTICE = "is of docker schema 1, a form that was retired in 2019; push it again with a current tool"
"""The deprecation notice, in progress and log."""

Fetch = Callable[[Descriptor], AsyncGenerator[bytes, None]]


class Schema1Blobs:
    """The blobs of one image of the old form."""

    def __init__(self, staging: Path, max_bytes: int) -> None:
        self._staging = staging
        self._max_bytes = max_bytes

    def has(self, blob: Descriptor) -> bool:
        """Tell whether a blob was fetched here."""
        return self._path(blob).exists()

    async def stream(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Read a blob that was fetched; it was verified then."""
        with self._path(blob).open("rb") as file:
            while piece := await asyncio.to_thread(file.read, CHUNK):
                yield piece

    async def convert(
        self,
        image: ResolvedImage,
        old: Schema1Manifest,
        known: Mapping[str, LayerRecord],
        save: Callable[[Descriptor, Path], Awaitable[int]],
    ) -> tuple[ResolvedImage, bytes]:
        """Fetch what is needed, and give the image in the form of schema 2 with its config.

        Raises:
            FailedPrecondition: a layer is damaged.
            ResourceExhausted: a layer is too large.
            ImageError: a download failed.
        """
        found = dict(known)
        for blob in image.layers:
            if blob.digest not in found:
                size = await save(blob, self._path(blob))
                diff_id = await asyncio.to_thread(self._measure, blob)
                found[blob.digest] = LayerRecord(
                    digest=blob.digest, diff_id=diff_id, chain_id="", size_bytes=size
                )
        records = [found[blob.digest] for blob in image.layers]
        config = schema1_config(old, [record.diff_id for record in records])
        described = Descriptor(
            media_type=DOCKER_CONFIG, digest=sha256_digest(config), size=len(config)
        )
        layers = tuple(
            Descriptor(media_type=DOCKER_LAYER_GZIP, digest=blob.digest, size=record.size_bytes)
            for blob, record in zip(image.layers, records, strict=True)
        )
        manifest = replace(image.manifest, config=described, layers=layers)
        return replace(image, manifest=manifest, config=described, layers=layers), config

    def _path(self, blob: Descriptor) -> Path:
        return self._staging / f"blob{digest_hex(blob.digest)}"

    def _measure(self, blob: Descriptor) -> str:
        digest, total = hashlib.sha256(), 0
        with self._path(blob).open("rb") as file:
            try:
                source = inflated(_File(file.read))
                while chunk := source.read_chunk():
                    digest.update(chunk)
                    total += len(chunk)
                    if total > self._max_bytes:
                        raise ResourceExhausted(
                            f"layer {blob.digest}",
                            f"is larger than {self._max_bytes} bytes",
                            remedy="raise max_layer_bytes if the image is trusted",
                            reason="LayerTooLarge",
                        )
            except InflateError as error:
                raise FailedPrecondition(
                    f"layer {blob.digest}", str(error), reason="InvalidLayer"
                ) from error
        return f"sha256:{digest.hexdigest()}"


class _File:
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def read_chunk(self) -> bytes:
        return self._read(CHUNK)


async def save_stream(pieces: AsyncIterator[bytes], path: Path) -> int:
    """Write a stream to a new file, and give its length."""
    size = 0
    with path.open("wb") as file:
        async for piece in pieces:
            size += len(piece)
            await asyncio.to_thread(file.write, piece)
    return size
