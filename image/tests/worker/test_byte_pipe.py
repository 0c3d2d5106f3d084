"""Tests of the pipe between loop and threads."""

import asyncio
import threading

import pytest

from image.worker.byte_pipe import BytePipe, PipeAbandonedError


def _read_all(pipe: BytePipe) -> bytes:
    pieces = []
    while piece := pipe.read_chunk():
        pieces.append(piece)
    return b"".join(pieces)


async def test_bytes_come_in_order_through_a_small_pipe() -> None:
    pipe = BytePipe(limit=10)
    reader = asyncio.get_running_loop().run_in_executor(None, _read_all, pipe)
    chunks = [b"%d," % number for number in range(2000)]
    for chunk in chunks:
        await pipe.write_from_loop(chunk)
    pipe.end()
    assert await reader == b"".join(chunks)


def test_thread_writer_waits_for_the_reader() -> None:
    pipe = BytePipe(limit=3)
    chunks = [b"abcd"] * 100

    def write() -> None:
        for chunk in chunks:
            pipe.write(chunk)
        pipe.end()

    thread = threading.Thread(target=write)
    thread.start()
    assert _read_all(pipe) == b"".join(chunks)
    thread.join()


async def test_waiting_writer_learns_that_the_reader_gave_up() -> None:
    pipe = BytePipe(limit=1)
    await pipe.write_from_loop(b"full")
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(_fails(pipe))
        while pipe._wake is None:
            await asyncio.sleep(0)
        pipe.abandon()
    assert writing.result()
    with pytest.raises(PipeAbandonedError):
        pipe.write(b"x")
    with pytest.raises(PipeAbandonedError):
        pipe.read_chunk()


async def _fails(pipe: BytePipe) -> bool:
    try:
        await pipe.write_from_loop(b"more")
    except PipeAbandonedError:
        return True
    return False
