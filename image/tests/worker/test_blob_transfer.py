"""Bytes are handed out in order however far the reader is behind, and memory stays bounded meanwhile."""

import asyncio
import os
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, NotFound
from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.store.partial_blobs import partial_name
from image.worker.blob_transfer import PIECE, BlobTransfer
from image.worker.partial_file import PartialFile, open_partial

CONTENT = os.urandom(40 * PIECE + 77)
BLOB = Descriptor(media_type="x", digest=sha256_digest(CONTENT), size=len(CONTENT))


def opened(directory: Path) -> PartialFile:
    file = open_partial(directory, BLOB)
    assert file is not None
    return file


async def begun(directory: Path) -> BlobTransfer:
    transfer = BlobTransfer(BLOB)
    await transfer.read_back(opened(directory))
    return transfer


def put(transfer: BlobTransfer, begin: int, end: int) -> None:
    for position in range(begin, end, PIECE):
        assert transfer.put(CONTENT[position : min(end, position + PIECE)])


async def read(transfer: BlobTransfer) -> bytes:
    async with asyncio.timeout(20):
        return b"".join([piece async for piece in transfer.pieces()])


async def test_reader_that_keeps_up_needs_no_file(tmp_path: Path) -> None:
    transfer = await begun(tmp_path)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read(transfer))
        for position in range(0, len(CONTENT), PIECE):
            assert transfer.put(CONTENT[position : position + PIECE])
            await asyncio.sleep(0)
            (tmp_path / partial_name(BLOB.digest)).unlink(missing_ok=True)
        transfer.end()
    assert reading.result() == CONTENT
    transfer.close()


async def test_reader_that_is_behind_reads_the_file(tmp_path: Path) -> None:
    transfer = await begun(tmp_path)
    put(transfer, 0, len(CONTENT))
    assert sum(map(len, transfer._recent)) <= 17 * PIECE
    transfer.end()
    assert await read(transfer) == CONTENT
    transfer.close()
    transfer.close()


async def test_what_the_file_held_is_hashed_and_handed_out(tmp_path: Path) -> None:
    (tmp_path / partial_name(BLOB.digest)).write_bytes(CONTENT[: 20 * PIECE + 5])
    transfer = await begun(tmp_path)
    assert transfer.reached == 20 * PIECE + 5
    put(transfer, transfer.reached, len(CONTENT))
    transfer.end()
    assert await read(transfer) == CONTENT
    assert transfer.hash.hexdigest() != BLOB.digest[7:]  # of what is put, the writer adds it
    transfer.close()


async def test_failure_of_the_writer_is_the_readers(tmp_path: Path) -> None:
    transfer = await begun(tmp_path)
    put(transfer, 0, PIECE)
    transfer.end(NotFound("x", "is gone"))
    with pytest.raises(NotFound):
        await read(transfer)
    transfer.close()


async def test_bytes_lost_from_the_file_ask_for_another_download(tmp_path: Path) -> None:
    transfer = await begun(tmp_path)
    put(transfer, 0, len(CONTENT))
    transfer.end()
    os.truncate(tmp_path / partial_name(BLOB.digest), 10)
    with pytest.raises(FailedPrecondition, match="DigestMismatchRestart"):
        await read(transfer)
    transfer.close()
    again = opened(tmp_path)
    again.length = 20
    with pytest.raises(FailedPrecondition, match="DigestMismatchRestart"):
        await BlobTransfer(BLOB).read_back(again)
    again.close()


async def test_without_a_file_nothing_is_kept() -> None:
    transfer = BlobTransfer(BLOB)
    assert not transfer.put(b"x")
    transfer.discard()
    transfer.close()
    transfer.end()
    assert await read(transfer) == b"x"
