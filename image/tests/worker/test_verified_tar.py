"""Tests of the plain bytes of a layer: counted, hashed, judged at the end."""

import gzip

import pytest

from image.errors import FailedPrecondition, ResourceExhausted
from image.model.digest import Digest, sha256_digest
from image.tests.store.tar_making import Chunks
from image.worker.verified_tar import VerifiedTar

PLAIN = bytes(range(256)) * 10_000


def verified(
    blob: bytes, notes: list[int], *, diff_id: Digest | None = None, max_bytes: int = len(PLAIN)
) -> VerifiedTar:
    return VerifiedTar(
        "app, layer x",
        Chunks(blob, 5000),
        diff_id or sha256_digest(PLAIN),
        max_bytes=max_bytes,
        note=notes.append,
    )


def read(source: VerifiedTar) -> bytes:
    return b"".join(iter(source.read_chunk, b""))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_right_tar_is_handed_on_and_counted(pack: type[bytes]) -> None:
    notes: list[int] = []
    assert read(verified(pack(PLAIN), notes)) == PLAIN
    assert notes == sorted(notes)
    assert notes[-1] == len(PLAIN)


def test_another_tar_has_no_good_end() -> None:
    notes: list[int] = []
    with pytest.raises(FailedPrecondition, match="another digest than sha256:"):
        read(verified(PLAIN, notes, diff_id=sha256_digest(b"other")))
    assert notes[-1] == len(PLAIN)


def test_an_empty_blob_is_judged_too() -> None:
    assert read(verified(b"", [], diff_id=sha256_digest(b""))) == b""
    with pytest.raises(FailedPrecondition, match="don't match"):
        read(verified(b"", []))


def test_no_byte_beyond_the_limit_is_handed_on() -> None:
    notes: list[int] = []
    with pytest.raises(ResourceExhausted, match="larger than 6000 bytes"):
        read(verified(PLAIN, notes, max_bytes=6000))
    assert max(notes) <= 6000


def test_damage_is_the_layers() -> None:
    with pytest.raises(FailedPrecondition, match="app, layer x"):
        read(verified(gzip.compress(PLAIN)[:5000], []))
