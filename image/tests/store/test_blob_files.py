"""Tests of content by digest."""

from pathlib import Path

import pytest

from image.errors import Internal
from image.model.digest import sha256_digest
from image.store.blob_files import BlobFiles


def test_content_is_checked_in_and_out(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path)
    digest = sha256_digest(b"one")
    blobs.write(digest, b"one")
    blobs.write(digest, b"one")
    assert blobs.read(digest) == b"one"
    with pytest.raises(Internal, match="another digest"):
        blobs.write(digest, b"two")
    blobs.path(digest).write_bytes(b"bad")
    with pytest.raises(Internal, match="damaged"):
        blobs.read(digest)


def test_only_wanted_content_stays(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path)
    digests = [sha256_digest(x) for x in (b"a", b"b", b"c")]
    for digest, content in zip(digests, (b"a", b"b", b"c"), strict=True):
        blobs.write(digest, content)
    (tmp_path / "sha256/.x.new").write_bytes(b"rest of a crash")
    blobs.keep_only({digests[0], digests[1]})
    blobs.remove({digests[1], digests[2]})
    assert [p.name for p in (tmp_path / "sha256").iterdir()] == [digests[0][7:]]
