"""Tests of failures of the disk; all else is tested through the store."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, Internal, ResourceExhausted
from image.model.digest import sha256_digest
from image.store.store_files import StoreFiles
from image.tests.store.image_making import build, commit_of, layer

TAR = layer("f")
COMMIT = commit_of("app:1", (TAR,))
CHAIN = COMMIT.layers[0].chain_id


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StoreFiles]:
    files = StoreFiles(tmp_path / "images", (), lambda: 1)
    yield files
    files.close()


def _publish(files: StoreFiles) -> None:
    staging = files.open_staging()
    summary = build(staging / "layer0", TAR, [])
    files.take_claims("t", (CHAIN,))
    files.publish_layer("t", staging / "layer0", CHAIN, summary)


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, ResourceExhausted), (errno.EIO, Internal)]
)
def test_failing_disk_leaves_the_store_unchanged(
    files: StoreFiles, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    _publish(files)

    def fail(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(error):
            files.commit(COMMIT)
    assert files.catalogue.records() == ()
    assert files.commit(COMMIT).repo_tags == ("docker.io/library/app:1",)


def test_missing_layer_is_told_when_it_is_used(files: StoreFiles, tmp_path: Path) -> None:
    _publish(files)
    record = files.commit(COMMIT)
    files.place(CHAIN).rename(tmp_path / "away")
    with pytest.raises(FailedPrecondition, match="missing from the store"):
        files.acquire(record.id, "c")
    assert files.config_bytes(record.id) == COMMIT.config


def test_layer_with_an_opaque_root_hides_those_below(files: StoreFiles) -> None:
    from image.tests.store.tar_making import TarMaker

    top = TarMaker().add(".wh..wh..opq").add("new", b"1").done()
    commit = commit_of("app:1", (TAR, top))
    chains = tuple(record.chain_id for record in commit.layers)
    staging = files.open_staging()
    files.take_claims("t", chains)
    files.publish_layer("t", staging / "a", chains[0], build(staging / "a", TAR, []))
    lowers = [files.place(chains[0])]
    files.publish_layer("t", staging / "b", chains[1], build(staging / "b", top, lowers))
    record = files.commit(commit)
    assert [os.listdir(path) for path in files.acquire(record.id, "c")] == [["new"]]


def test_layer_above_an_absent_one_is_refused(files: StoreFiles) -> None:
    staging = files.open_staging()
    summary = replace(build(staging / "layer0", TAR, []), parent=sha256_digest(b"absent"))
    files.take_claims("t", (CHAIN,))
    with pytest.raises(Internal, match="above one that is not here"):
        files.publish_layer("t", staging / "layer0", CHAIN, summary)


def test_present_layers_are_attached_for_those_who_build_above(
    files: StoreFiles, tmp_path: Path
) -> None:
    _publish(files)
    other = sha256_digest(b"other")
    assert files.take_claims("t", (CHAIN, other)) == {CHAIN: "present", other: "yours"}
    files.place(CHAIN).rename(tmp_path / "away")
    assert files.take_claims("t", (CHAIN, other))[CHAIN] == "present"


def test_closing_twice_is_fine(files: StoreFiles) -> None:
    files.close()
    files.close()
