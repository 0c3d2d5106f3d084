"""An export is an OCI layout and a docker archive whose every blob has its digest."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.model.digest import sha256_digest
from image.model.image_config import parse_image_config
from image.store.image_export import (
    REMADE,
    ExportImage,
    LayerBlob,
    archive_pieces,
    batched,
    file_pieces,
    plan_export,
)
from image.tests.store.image_making import commit_of, layer

TARS = (layer("base", b"b" * 3000), layer("top", b"t"))
NAME = "a.test/x:1"


def blob(content: bytes) -> LayerBlob:
    return LayerBlob(
        digest=sha256_digest(content), size=len(content), pieces=lambda: iter((content,))
    )


def image(*tars: bytes, manifest: bytes = b"", names: tuple[str, ...] = (NAME,)) -> ExportImage:
    config = commit_of(NAME, TARS).config
    return ExportImage(
        names=names,
        config=config,
        parsed=parse_image_config(config),
        layers=tuple(blob(tar) for tar in tars),
        manifest=manifest,
    )


def members(*images: ExportImage) -> dict[str, bytes]:
    content = b"".join(archive_pieces(plan_export(images)))
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return {m.name: (opened.extractfile(m) or io.BytesIO()).read() for m in opened}


def index_of(found: dict[str, bytes]) -> list[dict[str, object]]:
    entries = json.loads(found["index.json"])["manifests"]
    assert isinstance(entries, list)
    return entries


def test_an_export_is_whole_and_verifies() -> None:
    found = members(image(*TARS))
    blobs = {name: content for name, content in found.items() if name.startswith("blobs/")}
    assert len(blobs) == 4
    for name, content in blobs.items():
        assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    (entry,) = index_of(found)
    assert entry["annotations"] == {
        REMADE: "true",
        "io.containerd.image.name": NAME,
        "org.opencontainers.image.ref.name": "1",
    }
    assert entry["platform"] == {"architecture": "amd64", "os": "linux"}
    (docker,) = json.loads(found["manifest.json"])
    assert docker["RepoTags"] == [NAME]
    assert [found[name] for name in docker["Layers"]] == list(TARS)
    assert found[docker["Config"]] == image().config


def test_layers_that_were_written_anew_change_the_config() -> None:
    found = members(image(TARS[0], b"another"))
    (docker,) = json.loads(found["manifest.json"])
    config = json.loads(found[docker["Config"]])
    assert config["rootfs"]["diff_ids"] == [sha256_digest(TARS[0]), sha256_digest(b"another")]
    assert config["architecture"] == "amd64"


def test_the_registrys_manifest_goes_out_as_it_is() -> None:
    manifest = b'{"the": "original"}'
    found = members(image(b"gzip 1", b"gzip 2", manifest=manifest, names=("a.test/x@sha256:1",)))
    (entry,) = index_of(found)
    assert entry["digest"] == sha256_digest(manifest)
    assert entry["annotations"] == {"io.containerd.image.name": "a.test/x@sha256:1"}
    assert found[f"blobs/sha256/{sha256_digest(manifest)[7:]}"] == manifest
    assert json.loads(found["manifest.json"])[0]["RepoTags"] == []


def test_a_blob_of_two_images_is_written_once() -> None:
    found = members(image(*TARS), image(*TARS, names=("b.test/y:1",)))
    assert len(index_of(found)) == 2
    assert len([name for name in found if name.startswith("blobs/")]) == 4


@pytest.mark.parametrize("content", [b"damaged", b"x" * 4000], ids=["shorter", "longer"])
def test_a_layer_that_changed_breaks_the_archive_off(content: bytes) -> None:
    bad = LayerBlob(digest=sha256_digest(TARS[0]), size=3000, pieces=lambda: iter((content,)))
    damaged = ExportImage(
        names=(), config=b"{}", parsed=parse_image_config(commit_of(NAME, ()).config), layers=(bad,)
    )
    with pytest.raises(FailedPrecondition, match="does not have its digest"):
        list(archive_pieces(plan_export([_with_config(damaged)])))


def _with_config(damaged: ExportImage) -> ExportImage:
    return ExportImage(
        names=damaged.names,
        config=commit_of(NAME, TARS[:1]).config,
        parsed=damaged.parsed,
        layers=damaged.layers,
    )


def test_pieces_are_joined_and_files_read(tmp_path: Path) -> None:
    def small() -> Iterator[bytes]:
        yield from (b"a", b"", b"bc", b"d")

    assert list(batched(small(), 2)) == [b"abc", b"d"]
    (tmp_path / "f").write_bytes(b"content")
    pieces = file_pieces(tmp_path / "f")
    assert [b"".join(pieces()) for _ in range(2)] == [b"content"] * 2
