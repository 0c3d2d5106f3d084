"""Archives are read in place; hostile ones are refused."""

import json
import tarfile
from pathlib import Path

import pytest

import image.store.image_archive
from image.errors import FailedPrecondition, ImageError, InvalidArgument
from image.model.digest import sha256_digest
from image.model.media_types import OCI_INDEX, OCI_MANIFEST
from image.store.image_archive import ArchiveEntry, ImageArchive, references_of
from image.store.tar_writer import END, whole_member
from image.tests.store.tar_making import TarMaker


def write(path: Path, members: dict[str, bytes]) -> Path:
    path.write_bytes(b"".join(whole_member(*one) for one in members.items()) + END)
    return path


def layout(*names: str) -> dict[str, bytes]:
    manifests = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": sha256_digest(name.encode()),
            "size": 1,
            "annotations": {"org.opencontainers.image.ref.name": name} if name else {},
        }
        for name in names
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    return {"oci-layout": b"{}", "index.json": json.dumps(index).encode()}


def docker(layer: str = "l/layer.tar") -> dict[str, bytes]:
    images = [{"Config": "c.json", "RepoTags": ["a:1", "b:2"], "Layers": [layer]}]
    return {"manifest.json": json.dumps(images).encode(), "c.json": b"{}"}


def entries(path: Path) -> tuple[ArchiveEntry, ...]:
    archive = ImageArchive(path)
    try:
        return archive.entries()
    finally:
        archive.close()


def test_a_layout_and_a_docker_archive_are_listed(tmp_path: Path) -> None:
    (one,) = entries(write(tmp_path / "o", layout("r.test/a:1")))
    assert one.names == ("r.test/a:1",)
    assert one.descriptor is not None
    (two,) = entries(write(tmp_path / "d", docker("./l/../l/layer.tar")))
    assert (two.names, two.config, two.layers) == (("a:1", "b:2"), "c.json", ("l/layer.tar",))


def test_members_are_read_in_place_and_links_followed(tmp_path: Path) -> None:
    maker = TarMaker(tarfile.USTAR_FORMAT).add("./d/real", b"0123456789")
    maker.add("e/link", type=tarfile.SYMTYPE, link="../d/real")
    maker.add("hard", type=tarfile.LNKTYPE, link="d/real")
    maker.add("loop", type=tarfile.SYMTYPE, link="loop")
    path = tmp_path / "a"
    path.write_bytes(maker.done())
    archive = ImageArchive(path)
    try:
        assert archive.read("e/link", 100) == b"0123456789"
        assert b"".join(archive.pieces("hard", 4)) == b"456789"
        for name in ("loop", "none", "../../etc/passwd"):
            with pytest.raises(FailedPrecondition, match="lacks the member"):
                archive.size(name)
        with pytest.raises(FailedPrecondition, match="larger than 3"):
            archive.read("hard", 3)
        with pytest.raises(FailedPrecondition, match="neither"):
            archive.entries()
    finally:
        archive.close()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello\n", "no tar"),
        (b"\xff" * 2048, "no tar"),
        (whole_member("index.json", b"[") + whole_member("oci-layout", b"") + END, "strict JSON"),
        (whole_member("manifest.json", b"[1]") + END, "list of objects"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=says):
        entries(path)


def test_numbers_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image.store.image_archive, "MAX_IMAGES", 1)
    with pytest.raises(FailedPrecondition, match="more than 1 images"):
        entries(write(tmp_path / "a", layout("a:1", "b:1")))
    monkeypatch.setattr(image.store.image_archive, "MAX_MEMBERS", 1)
    with pytest.raises(FailedPrecondition, match="more than 1 members"):
        entries(write(tmp_path / "a", layout()))


def test_bare_tags_belong_to_the_given_repository() -> None:
    assert [str(r) for r in references_of(ArchiveEntry(names=("a:1",)), "")] == [
        "docker.io/library/a:1"
    ]
    assert [str(r) for r in references_of(ArchiveEntry(names=("7",)), "r.test/x")] == ["r.test/x:7"]
    nameless = ArchiveEntry(names=())
    assert [str(r) for r in references_of(nameless, "r.test/x")] == ["r.test/x:latest"]
    with pytest.raises(InvalidArgument, match="--name"):
        references_of(ArchiveEntry(names=("7",)), "")
