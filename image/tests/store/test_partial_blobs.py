"""Partial blobs stay within size and age, oldest first, and those that pulls want are never touched."""

import os
from pathlib import Path

import pytest

from image.model.digest import Digest, sha256_digest
from image.store.partial_blobs import PartialBlobs, PartialLimits, partial_name

DIGESTS = [sha256_digest(bytes([number])) for number in range(4)]
NOW = 1_000_000.0
SIZE = 8192


class Site:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for age, digest in enumerate(DIGESTS):
            self.keep(digest, age * 100)

    def keep(self, digest: Digest, age: float) -> None:
        path = self.directory / partial_name(digest)
        path.write_bytes(b"x" * SIZE)
        os.utime(path, (NOW - age, NOW - age))

    def partials(self, max_bytes: int, max_age: float = 1e6) -> PartialBlobs:
        limits = PartialLimits(max_bytes=max_bytes, max_age_seconds=max_age)
        return PartialBlobs(self.directory, limits, lambda: NOW)

    def left(self) -> list[int]:
        names = set(os.listdir(self.directory))
        return [n for n, digest in enumerate(DIGESTS) if partial_name(digest) in names]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("max_bytes", "max_age", "left"),
    [
        (10 * SIZE, 1e6, [0, 1, 2, 3]),
        (2 * SIZE, 1e6, [0, 1]),
        (2 * SIZE - 1, 1e6, [0]),
        (0, 1e6, []),
        (10 * SIZE, 150, [0, 1]),
        (10 * SIZE, 0, [0]),
    ],
)
def test_oldest_go_first(site: Site, max_bytes: int, max_age: float, left: list[int]) -> None:
    freed = site.partials(max_bytes, max_age).collect(lambda _: False)
    assert site.left() == left
    assert freed == (4 - len(left)) * SIZE


def test_what_a_pull_wants_is_never_touched_nor_counted(site: Site) -> None:
    wanted = {DIGESTS[3], DIGESTS[2]}
    partials = site.partials(SIZE)
    assert partials.idle_bytes(lambda digest: digest in wanted) == 2 * SIZE
    partials.collect(lambda digest: digest in wanted)
    assert site.left() == [0, 2, 3]
    assert partials.remove_idle(lambda digest: digest in wanted) == SIZE
    assert site.left() == [2, 3]
    assert partials.bytes_on_disk() == 2 * SIZE


def test_pull_that_begins_meanwhile_keeps_its_file(site: Site) -> None:
    asked: list[str] = []

    def is_wanted(digest: str) -> bool:
        asked.append(digest)
        return asked.count(digest) > 1

    assert site.partials(0).collect(is_wanted) == 0
    assert site.left() == [0, 1, 2, 3]


def test_what_is_no_blob_goes_and_links_are_not_followed(site: Site, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"x")
    (tmp_path / "note").write_bytes(b"x")
    (tmp_path / "sha256-short").write_bytes(b"x")
    (tmp_path / partial_name(sha256_digest(b"link"))).symlink_to(outside)
    nest = tmp_path / partial_name(sha256_digest(b"directory"))
    (nest / "deep").mkdir(parents=True)
    (nest / "deep/file").write_bytes(b"x")
    site.partials(10 * SIZE).collect(lambda digest: digest in DIGESTS)
    assert len(os.listdir(tmp_path)) == 4
    assert os.listdir(outside) == ["kept"]


def test_removal_is_by_digest_and_absence_is_fine(site: Site) -> None:
    partials = site.partials(0)
    partials.remove([DIGESTS[0], DIGESTS[0], sha256_digest(b"absent")])
    assert site.left() == [1, 2, 3]
