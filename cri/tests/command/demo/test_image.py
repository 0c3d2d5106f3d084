"""The demo's image: valid by its own digests, and two platforms in the list."""

import gzip
import hashlib
import json

from cri.command.demo.image import Blob, make_image


def _by_digest(blobs: tuple[Blob, ...]) -> dict[str, bytes]:
    return {blob.digest: blob.content for blob in blobs}


def test_every_descriptor_leads_to_content_of_that_size_and_digest() -> None:
    image = make_image(b"\x7fELF not really")
    content = _by_digest((*image.manifests, *image.blobs))
    index = json.loads(image.index.content)
    assert len(index["manifests"]) == 2
    for entry in index["manifests"]:
        manifest = json.loads(content[entry["digest"]])
        assert len(content[entry["digest"]]) == entry["size"]
        for descriptor in (manifest["config"], *manifest["layers"]):
            assert len(content[descriptor["digest"]]) == descriptor["size"]


def test_diff_id_is_the_digest_of_the_plain_layer() -> None:
    image = make_image(b"program")
    config = json.loads(image.blobs[0].content)
    layer = gzip.decompress(image.blobs[-1].content)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert b"program" in layer


def test_same_program_gives_the_same_image() -> None:
    assert make_image(b"x").index.digest == make_image(b"x").index.digest


def test_decoy_platform_stands_first() -> None:
    platforms = [
        entry["platform"] for entry in json.loads(make_image(b"x").index.content)["manifests"]
    ]
    assert platforms[0]["architecture"] != platforms[1]["architecture"]
