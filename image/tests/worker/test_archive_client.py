"""An archive answers like a registry, and lies are found by digests."""

import contextlib
import gzip
import json
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError, NotFound
from image.model.digest import digest_hex, sha256_digest
from image.model.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from image.model.platform import Platform
from image.model.reference import parse_reference
from image.store.tar_writer import END, whole_member
from image.tests.store.image_making import layer
from image.worker.archive_client import ArchiveClient

AMD64 = Platform(os="linux", architecture="amd64")
NAME = parse_reference("a.test/x:1")
TAR = layer("file")


def config() -> bytes:
    rootfs = {"type": "layers", "diff_ids": [sha256_digest(TAR)]}
    return json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).encode()


def blob(content: bytes) -> tuple[str, bytes]:
    return f"blobs/sha256/{digest_hex(sha256_digest(content))}", content


def described(media_type: str, content: bytes, **more: object) -> dict[str, object]:
    fields = {"mediaType": media_type, "digest": sha256_digest(content), "size": len(content)}
    return {**fields, **more}


def oci(path: Path, *, architecture: str = "amd64", spoil: bool = False) -> Path:
    packed = gzip.compress(TAR)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": described(OCI_CONFIG, config()),
            "layers": [described(OCI_LAYER_GZIP, packed)],
        }
    ).encode()
    platform = {"os": "linux", "architecture": architecture}
    inner = _index(described(OCI_MANIFEST, manifest, platform=platform))
    members = [("oci-layout", b"{}"), ("index.json", _index(described(OCI_INDEX, inner)))]
    members += [blob(one) for one in (inner, manifest, config())]
    name, content = blob(packed)
    members.append((name, bytes(len(content)) if spoil else content))
    path.write_bytes(b"".join(whole_member(*one) for one in members) + END)
    return path


def _index(entry: dict[str, object]) -> bytes:
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    return json.dumps(index).encode()


async def fetched(path: Path, position: int = 0) -> tuple[str, bytes, bytes]:
    async with ArchiveClient(path, position) as client:
        assert await client.current_digest(NAME, auth=None) is None
        found = await client.resolve(NAME, platform=AMD64, auth=None)
        raw = await client.fetch_config(found)
        async with contextlib.aclosing(client.download(found, found.layers[0])) as pieces:
            return found.target_digest, raw, b"".join([one async for one in pieces])


async def test_a_layout_with_a_nested_index_is_followed(tmp_path: Path) -> None:
    target, raw, content = await fetched(oci(tmp_path / "a"))
    assert target.startswith("sha256:")
    assert (raw, gzip.decompress(content)) == (config(), TAR)


async def test_another_platform_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await fetched(oci(tmp_path / "a", architecture="s390x"))


async def test_a_changed_blob_is_found(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="another digest"):
        await fetched(oci(tmp_path / "a", spoil=True))


@pytest.mark.parametrize("packed", [False, True])
async def test_a_docker_archive_gets_a_manifest(tmp_path: Path, packed: bool) -> None:
    content = gzip.compress(TAR) if packed else TAR
    images = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]
    members = {"c.json": config(), "l.tar": content, "manifest.json": json.dumps(images).encode()}
    path = tmp_path / "d"
    path.write_bytes(b"".join(whole_member(*one) for one in members.items()) + END)
    _, raw, told = await fetched(path)
    assert (raw, told) == (config(), content)
    with pytest.raises(ImageError, match="has no image 5"):
        await fetched(path, 5)
