"""Documents are read once, verified, and measured; what cannot be read is noted and not shown."""

from pathlib import Path

import pytest

from image.store.blob_files import BlobFiles
from image.store.catalogue import Catalogue
from image.store.documents import Documents
from image.store.image_index import IndexedImage
from image.tests.store.image_making import commit_of, layer

COMMIT = commit_of("a.test/app:1", (layer("base"),))
INDEXED = IndexedImage(
    id=COMMIT.config_digest,
    manifest_digest=COMMIT.manifest_digest,
    blob_bytes=1,
    names=("a.test/app:1",),
    layers=COMMIT.layers,
)


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    (tmp_path / "blobs").mkdir()
    found = Documents(BlobFiles(tmp_path / "blobs"))
    found.write(COMMIT)
    return found


def shown(documents: Documents, before: Catalogue, size: int = 10) -> Catalogue:
    return documents.catalogue([INDEXED], {COMMIT.layers[0].chain_id: size}, (), before)


def test_a_record_that_did_not_change_stays_the_same_object(documents: Documents) -> None:
    first = shown(documents, Catalogue(()))
    second = shown(documents, first)
    third = shown(documents, second, size=20)
    assert second.records()[0] is first.records()[0]
    assert third.records()[0].disk_bytes == first.records()[0].disk_bytes + 10
    assert documents.bytes_by_image()[INDEXED.id] == first.records()[0].disk_bytes - 10


def test_a_config_that_cannot_be_read_is_noted(tmp_path: Path, documents: Documents) -> None:
    fresh = Documents(BlobFiles(tmp_path / "blobs"))
    assert len(shown(fresh, Catalogue(())).records()) == 1
    (tmp_path / "blobs/sha256" / INDEXED.id.partition(":")[2]).write_bytes(b"{}")
    fresh = Documents(BlobFiles(tmp_path / "blobs"))
    assert shown(fresh, Catalogue(())).records() == ()
    assert "damaged" in fresh.damaged[INDEXED.id]


def test_documents_go_when_no_image_has_them(tmp_path: Path, documents: Documents) -> None:
    record = shown(documents, Catalogue(())).records()[0]
    documents.drop(record, [INDEXED])
    assert documents.read(record.id)
    (tmp_path / "blobs/sha256/rest").write_bytes(b"")
    documents.keep_only([INDEXED])
    assert documents.read(record.manifest_digest)
    documents.drop(record, [])
    assert list((tmp_path / "blobs/sha256").iterdir()) == []
