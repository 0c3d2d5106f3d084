"""The file of a blob lives as long as a pull needs it, and after a failure within the limits."""

import asyncio
import os
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, ImageError, ResourceExhausted, Unavailable
from image.model.digest import Digest, sha256_digest
from image.store.blob_flights import BlobFlights
from image.store.partial_blobs import PartialBlobs, PartialLimits, partial_name
from image.store.pull_blobs import PullBlobs

BLOB, OTHER = sha256_digest(b"blob"), sha256_digest(b"other")


class Site:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.flights = BlobFlights()

    def pull(self, max_bytes: int = 1 << 20) -> PullBlobs:
        limits = PartialLimits(max_bytes=max_bytes)
        return PullBlobs(self.flights, PartialBlobs(self.directory, limits))

    def keep(self, *digests: Digest) -> None:
        for digest in digests:
            (self.directory / partial_name(digest)).write_bytes(b"x")

    def left(self) -> set[str]:
        return set(os.listdir(self.directory))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_blobs_of_other_pulls_are_not_fresh(site: Site) -> None:
    first, second = site.pull(), site.pull()
    assert first.want([BLOB, BLOB]) == (BLOB,)
    assert second.want([BLOB, OTHER]) == (OTHER,)
    first.leave()
    first.leave()
    third = site.pull()
    assert third.want([BLOB]) == ()
    second.leave()
    third.leave()
    assert site.pull().want([BLOB]) == (BLOB,)


async def test_spent_blob_goes_when_the_last_who_needs_it_has_spent_it(site: Site) -> None:
    first, second = site.pull(), site.pull()
    first.want([BLOB])
    second.want([BLOB])
    site.keep(BLOB)
    await first.spend(BLOB)
    await first.spend(BLOB)
    assert site.left() == {partial_name(BLOB)}
    await second.spend(BLOB)
    assert site.left() == set()


async def test_nothing_is_left_after_a_pull_that_succeeded(site: Site) -> None:
    pull, other = site.pull(), site.pull()
    pull.want([BLOB])
    site.keep(BLOB, OTHER)
    other.want([OTHER])
    pull.leave()
    await pull.clear([OTHER])
    assert site.left() == {partial_name(OTHER)}
    other.leave()
    await other.clear([OTHER])
    assert site.left() == set()


@pytest.mark.parametrize(
    ("max_bytes", "error", "left"),
    [
        (1 << 20, None, 2),
        (0, None, 1),
        (1 << 20, Unavailable("r.test", "is away"), 2),
        (1 << 20, ResourceExhausted("r.test", "has enough of us"), 2),
        (1 << 20, ResourceExhausted("store", "disk is full", reason="DiskFull"), 1),
        (1 << 20, FailedPrecondition("layer", "is refused"), 1),
    ],
    ids=["cancelled", "nothing is kept", "away", "too many requests", "disk full", "refused"],
)
async def test_failed_pull_leaves_what_the_limits_allow(
    site: Site, max_bytes: int, error: ImageError | None, left: int
) -> None:
    pull, other = site.pull(max_bytes), site.pull()
    pull.want([BLOB])
    other.want([OTHER])
    site.keep(BLOB, OTHER)
    pull.leave()
    await pull.clear(None, error)
    assert len(site.left()) == left
    assert partial_name(OTHER) in site.left()


async def test_flights_of_a_dead_pull_go_to_the_next(site: Site) -> None:
    first, second = site.pull(), site.pull()
    await first.acquire(BLOB)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = group.create_task(second.acquire(BLOB))
        await asyncio.sleep(0)
        first.leave()
        await waiting
    first.release(BLOB)
    third = site.pull()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await third.acquire(BLOB)
    second.release(BLOB)
    await third.acquire(BLOB)
    third.leave()


def test_resumed_bytes_are_counted(site: Site) -> None:
    pull = site.pull()
    pull.note_resumed(5)
    pull.note_resumed(-3)
    assert site.flights.resumed_bytes == 5


async def test_a_blob_whose_layer_was_just_made_is_not_begun_on_suspicion(site: Site) -> None:
    first, second = site.pull(), site.pull()
    first.want([BLOB])
    await first.spend(BLOB)
    assert second.want([BLOB]) == ()
    second.leave()
    first.leave()
    first.leave()
    assert site.pull().want([BLOB]) == (BLOB,)
