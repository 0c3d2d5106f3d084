"""Layers as the field has them: twice, by the hundred, empty, with lies about them, and packed in chunks."""

import gzip
import json
import struct
from dataclasses import replace

import pytest
import zstandard

from image.errors import FailedPrecondition, ImageError
from image.model.media_types import OCI_LAYER_ZSTD, OCI_MANIFEST
from image.tests.fakes.fake_registry import FakeRegistry, PushedLayer, layer_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.whole_pulls.conftest import PullSite

LAYER = layer_of({"a": b"1" * 1000})


def push_changed(registry: FakeRegistry, layer: PushedLayer, **change: object) -> str:
    """Push an image of one layer whose descriptor is changed, and give its name."""
    image = registry.push_image("team/app", "", layers=[layer])
    document = json.loads(image.manifest)
    document["layers"][0] |= change
    registry.push_manifest("team/app", "v1", json_bytes(document), OCI_MANIFEST)
    return f"{image.name}:v1"


async def test_layer_that_occurs_twice_is_unpacked_twice(
    site: PullSite, registry: FakeRegistry
) -> None:
    layers = [LAYER, layer_of({"b": b"2"}), LAYER]
    image = registry.push_image("team/app", "v1", layers=layers)
    record = await site.pull(f"{image.name}:v1")
    assert [layer.digest for layer in record.layers] == [layer.digest for layer in layers]
    assert len({layer.chain_id for layer in record.layers}) == 3


async def test_image_of_127_layers_is_pulled(site: PullSite, registry: FakeRegistry) -> None:
    layers = [layer_of({f"f{number}": b"x"}) for number in range(127)]
    image = registry.push_image("team/app", "v1", layers=layers)
    record = await site.pull(f"{image.name}:v1")
    assert [layer.diff_id for layer in record.layers] == [layer.diff_id for layer in layers]


async def test_image_without_layers_is_pulled(site: PullSite, registry: FakeRegistry) -> None:
    image = registry.push_image("team/app", "v1", layers=[])
    assert (await site.pull(f"{image.name}:v1")).layers == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 0}, "blob is not of 0 bytes"),
        ({"size": len(LAYER.blob) + 1}, f"blob is not of {len(LAYER.blob) + 1} bytes"),
        ({"size": -1}, "impossible size -1"),
        ({"mediaType": "application/x-other"}, "unsupported media type 'application/x-other'"),
    ],
)
async def test_descriptor_that_is_wrong_is_told(
    site: PullSite, registry: FakeRegistry, change: dict[str, object], words: str
) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        await site.pull(push_changed(registry, LAYER, **change))
    assert site.store.list_images() == ()


async def test_blob_of_no_bytes_is_no_layer(site: PullSite, registry: FakeRegistry) -> None:
    image = registry.push_image("team/app", "v1", layers=[replace(LAYER, blob=b"")])
    with pytest.raises(ImageError, match=r"layer|diff id|tar"):
        await site.pull(f"{image.name}:v1")
    assert site.store.list_images() == ()


async def test_artifact_without_a_config_of_an_image_is_named(
    site: PullSite, registry: FakeRegistry
) -> None:
    empty = "application/vnd.oci.empty.v1+json"
    image = registry.push_image("team/app", "v1", layers=[], config=b"{}", config_type=empty)
    with pytest.raises(FailedPrecondition, match=r"encountered remote .*empty.* \(artifact\)"):
        await site.pull(f"{image.name}:v1")


async def test_chunked_zstd_is_read_as_zstd(site: PullSite, registry: FakeRegistry) -> None:
    """zstd:chunked: a frame for each file, then a skippable frame with the index of them."""
    pieces = [LAYER.tar[:512], LAYER.tar[512:1536], LAYER.tar[1536:]]
    index = b'{"version": 1, "entries": []}'
    skippable = struct.pack("<II", 0x184D2A50, len(index)) + index
    blob = b"".join(zstandard.compress(piece) for piece in pieces) + skippable
    layer = replace(LAYER, blob=blob, media_type=OCI_LAYER_ZSTD)
    annotations = {"io.github.containers.zstd-chunked.manifest-position": "1:2:3:1"}
    name = push_changed(registry, layer, annotations=annotations)
    assert [one.diff_id for one in (await site.pull(name)).layers] == [LAYER.diff_id]


async def test_estargz_is_read_as_gzip(site: PullSite, registry: FakeRegistry) -> None:
    """eStargz: a gzip member for each file, and an empty one at the end that says where the index is."""
    listed = layer_of({"a": b"1" * 1000, "stargz.index.json": b'{"version": 1}'})
    pieces = [listed.tar[:512], listed.tar[512:1536], listed.tar[1536:]]
    extra = b"SG" + struct.pack("<H", 22) + b"0000000000000400STARGZ"
    header = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + struct.pack("<H", len(extra)) + extra
    footer = header + b"\x01\x00\x00\xff\xff" + bytes(8)
    blob = b"".join(gzip.compress(piece, mtime=0) for piece in pieces) + footer
    layer = replace(listed, blob=blob)
    toc = {"containerd.io/snapshot/stargz/toc.digest": layer.digest}
    name = push_changed(registry, layer, annotations=toc)
    assert [one.diff_id for one in (await site.pull(name)).layers] == [listed.diff_id]
