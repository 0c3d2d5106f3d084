"""What is begun early is bounded, keeps its failure for later, and can be dropped."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from image.errors import NotFound
from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.worker.early_downloads import EarlyDownloads

BLOB = Descriptor(media_type="x", digest=sha256_digest(b"x"), size=1)


class Source:
    """Counts what is read of it."""

    def __init__(self, pieces: int, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.read = 0
        self.opened = 0
        self.closed = 0

    async def open(self, _blob: Descriptor) -> AsyncGenerator[bytes, None]:
        self.opened += 1
        try:
            for number in range(self.pieces):
                self.read += 1
                yield b"%d" % (number % 10)
            if self.error:
                raise self.error
        finally:
            self.closed += 1


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.mark.parametrize("begun", [True, False])
async def test_whole_blob_arrives_once(begun: bool) -> None:
    source = Source(100)
    async with asyncio.TaskGroup() as group:
        early = EarlyDownloads(group, source.open)
        if begun:
            early.begin(BLOB)
            await settle()
            assert 0 < source.read < 20
        assert len([piece async for piece in early.take(BLOB)]) == 100
    assert source.opened == source.closed == 1


async def test_failure_is_told_to_whoever_takes_the_blob() -> None:
    source = Source(2, NotFound("x", "is gone"))
    async with asyncio.TaskGroup() as group:
        early = EarlyDownloads(group, source.open)
        early.begin(BLOB)
        await settle()
        with pytest.raises(NotFound):
            [piece async for piece in early.take(BLOB)]


async def test_second_attempt_opens_the_blob_again() -> None:
    source = Source(2)
    async with asyncio.TaskGroup() as group:
        early = EarlyDownloads(group, source.open)
        early.begin(BLOB)
        for _ in range(2):
            assert len([piece async for piece in early.take(BLOB)]) == 2
    assert source.opened == 2


async def test_what_is_not_wanted_is_dropped() -> None:
    source = Source(100)
    async with asyncio.TaskGroup() as group:
        early = EarlyDownloads(group, source.open)
        early.begin(BLOB)
        await settle()
        early.drop()
    assert source.closed == 1
    assert source.read < 20
