"""Layers of the old form are measured, and what is known of them is not fetched."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ResourceExhausted
from image.model.descriptor import UNKNOWN_SIZE, Descriptor
from image.model.digest import sha256_digest
from image.model.image_config import parse_image_config
from image.model.manifest import Manifest, parse_manifest
from image.model.records import LayerRecord
from image.model.reference import parse_reference
from image.model.schema1 import Schema1Manifest
from image.registry.resolved_image import ResolvedImage
from image.tests.fakes.fake_registry import PushedLayer, layer_of
from image.tests.fakes.fake_registry.content import schema1_of
from image.worker.schema1_blobs import Schema1Blobs, save_stream

LAYERS = [layer_of({"a": b"1" * 1000}), layer_of({"b": b"2"}, compress=False)]


def old_image(layers: Sequence[PushedLayer]) -> tuple[ResolvedImage, Schema1Manifest]:
    raw, digest = schema1_of(layers)
    old = parse_manifest(raw, subject="it")
    assert isinstance(old, Schema1Manifest)
    described = tuple(
        Descriptor(media_type="", digest=blob, size=UNKNOWN_SIZE) for blob in old.layers
    )
    config = Descriptor(media_type="", digest=digest, size=UNKNOWN_SIZE)
    image = ResolvedImage(
        reference=parse_reference("r.test/app:1"),
        target_digest=digest,
        manifest_digest=digest,
        manifest_bytes=raw,
        manifest=Manifest(config=config, layers=described, media_type=""),
        config=config,
        layers=described,
        endpoint_url="e",
        schema1=old,
    )
    return image, old


class Saver:
    def __init__(self, layers: Sequence[PushedLayer]) -> None:
        self.blobs = {layer.digest: layer.blob for layer in layers}
        self.saved: list[str] = []

    async def save(self, blob: Descriptor, path: Path) -> int:
        self.saved.append(blob.digest)
        return await save_stream(_pieces(self.blobs[blob.digest]), path)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


async def test_config_names_the_real_diff_ids(tmp_path: Path) -> None:
    blobs, saver = Schema1Blobs(tmp_path, 10**6), Saver(LAYERS)
    image, raw = await blobs.convert(*old_image(LAYERS), {}, saver.save)
    config = parse_image_config(raw)
    assert config.diff_ids == tuple(layer.diff_id for layer in LAYERS)
    assert image.config.digest == sha256_digest(raw)
    assert [layer.size for layer in image.layers] == [len(layer.blob) for layer in LAYERS]
    assert image.manifest.layers == image.layers
    for descriptor, layer in zip(image.layers, LAYERS, strict=True):
        assert blobs.has(descriptor)
        assert b"".join([piece async for piece in blobs.stream(descriptor)]) == layer.blob


async def test_known_blobs_and_repeated_ones_are_not_fetched_again(tmp_path: Path) -> None:
    layers = [LAYERS[0], LAYERS[1], LAYERS[1]]
    known = LayerRecord(
        digest=LAYERS[0].digest, diff_id=LAYERS[0].diff_id, chain_id="", size_bytes=5
    )
    saver = Saver(LAYERS)
    blobs = Schema1Blobs(tmp_path, 10**6)
    image, _ = await blobs.convert(*old_image(layers), {known.digest: known}, saver.save)
    assert saver.saved == [LAYERS[1].digest]
    assert image.layers[0].size == 5
    assert not blobs.has(image.layers[0])


async def test_damaged_and_huge_layers_are_refused(tmp_path: Path) -> None:
    damaged = replace(LAYERS[0], blob=LAYERS[0].blob[:-9])
    with pytest.raises(FailedPrecondition, match="cut off"):
        await Schema1Blobs(tmp_path, 10**6).convert(
            *old_image([damaged]), {}, Saver([damaged]).save
        )
    with pytest.raises(ResourceExhausted, match="larger than 10 bytes"):
        await Schema1Blobs(tmp_path, 10).convert(*old_image(LAYERS), {}, Saver(LAYERS).save)
