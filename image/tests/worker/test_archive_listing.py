"""Archives are listed platform by platform; what is not complete is left out."""

import json
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, NotFound
from image.model.digest import digest_hex, parse_digest, sha256_digest
from image.model.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from image.model.platform import Platform
from image.store.image_archive import ImageArchive
from image.store.image_export import OCI_LAYER, REMADE
from image.store.tar_writer import END, whole_member
from image.worker.archive_listing import ArchivedImage, choose_leaf, images_of

AMD64 = Platform(os="linux", architecture="amd64")


class Layout:
    """An OCI layout that grows."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {"oci-layout": b"{}"}
        self.manifests: list[dict[str, object]] = []

    def blob(self, media_type: str, content: bytes, **more: object) -> dict[str, object]:
        digest = sha256_digest(content)
        self.members[f"blobs/sha256/{digest_hex(digest)}"] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def image(self, architecture: str, *, system: str = "linux") -> dict[str, object]:
        config = self.blob(OCI_CONFIG, json.dumps({"architecture": architecture}).encode())
        layer = self.blob(OCI_LAYER, f"layer {architecture}".encode())
        manifest = {"schemaVersion": 2, "config": config, "layers": [layer]}
        platform = {"os": system, "architecture": architecture}
        return self.blob(OCI_MANIFEST, json.dumps(manifest).encode(), platform=platform)

    def index(self, *entries: dict[str, object]) -> dict[str, object]:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
        return self.blob(OCI_INDEX, json.dumps(document).encode())

    def forget(self, entry: dict[str, object]) -> None:
        del self.members[f"blobs/sha256/{str(entry['digest'])[7:]}"]

    def open(self, path: Path, top: dict[str, object]) -> ImageArchive:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [top]}
        self.members["index.json"] = json.dumps(document).encode()
        path.write_bytes(b"".join(whole_member(*one) for one in self.members.items()) + END)
        return ImageArchive(path)


def listed(
    archive: ImageArchive, *, all_platforms: bool = True, wanted: Platform = AMD64
) -> tuple[ArchivedImage, ...]:
    try:
        (entry,) = archive.entries()
        return images_of(archive, entry, wanted, all_platforms=all_platforms)
    finally:
        archive.close()


def test_this_nodes_platform_comes_first_and_others_by_their_digest(tmp_path: Path) -> None:
    layout = Layout()
    arm, amd = layout.image("arm64"), layout.image("amd64")
    attestation = layout.image("unknown", system="unknown")
    top = layout.index(arm, attestation, layout.index(amd))
    first, second = listed(layout.open(tmp_path / "a", top))
    assert (first.target, first.manifest, first.platform) == (top["digest"], "", "")
    assert (second.target, second.manifest) == (arm["digest"], arm["digest"])
    assert second.platform == "linux/arm64"
    (only,) = listed(layout.open(tmp_path / "a", top), all_platforms=False)
    assert only == first


def test_platforms_whose_blobs_are_not_here_are_left_out(tmp_path: Path) -> None:
    layout = Layout()
    amd, arm, power = (layout.image(name) for name in ("amd64", "arm64", "ppc64le"))
    top = layout.index(amd, arm, power)
    layout.forget(arm)
    layout.forget({"digest": sha256_digest(b"layer ppc64le")})
    (only,) = listed(layout.open(tmp_path / "a", top))
    assert only.target == top["digest"]
    with pytest.raises(NotFound, match="no matching manifest"):
        listed(layout.open(tmp_path / "a", top), wanted=Platform(os="linux", architecture="arm64"))


def test_a_manifest_that_was_made_here_is_known_by_no_digest(tmp_path: Path) -> None:
    layout = Layout()
    amd = layout.image("amd64")
    (one,) = listed(layout.open(tmp_path / "a", amd))
    assert one.target == amd["digest"]
    (made,) = listed(layout.open(tmp_path / "a", {**amd, "annotations": {REMADE: "true"}}))
    assert (made.id, made.target) == (one.id, "")


def test_a_leaf_is_found_by_platform_or_digest(tmp_path: Path) -> None:
    layout = Layout()
    amd, arm = layout.image("amd64"), layout.image("arm64")
    archive = layout.open(tmp_path / "a", layout.index(amd, arm))
    try:
        target = archive.entries()[0].descriptor
        assert target is not None
        assert choose_leaf(archive, target, AMD64, None)[0].digest == amd["digest"]
        wanted = parse_digest(str(arm["digest"]))
        assert choose_leaf(archive, target, AMD64, wanted)[0].digest == wanted
        with pytest.raises(FailedPrecondition, match="has no manifest"):
            choose_leaf(archive, target, AMD64, sha256_digest(b"other"))
    finally:
        archive.close()


def test_an_endless_chain_of_indexes_ends(tmp_path: Path) -> None:
    layout = Layout()
    top = layout.image("amd64")
    for _ in range(5):
        top = layout.index(top)
    with pytest.raises(NotFound):
        listed(layout.open(tmp_path / "a", top))


def test_content_of_another_digest_is_refused(tmp_path: Path) -> None:
    layout = Layout()
    amd = layout.image("amd64")
    layout.members[f"blobs/sha256/{str(amd['digest'])[7:]}"] = b"{}"
    with pytest.raises(FailedPrecondition, match="another digest"):
        listed(layout.open(tmp_path / "a", amd))
