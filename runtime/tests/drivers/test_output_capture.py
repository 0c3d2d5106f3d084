"""Tests of reading pipes into memory."""

import asyncio
import os

from runtime.drivers.output_capture import OutputCapture, wait_ended


def pipe(limit: int = 100) -> tuple[OutputCapture, int]:
    read, write = os.pipe()
    return OutputCapture(read, limit), write


async def test_everything_up_to_the_end_is_kept() -> None:
    capture, write = pipe()
    os.write(write, b"one ")
    os.write(write, b"two")
    os.close(write)
    await capture.ended
    assert capture.output() == b"one two"
    assert capture.dropped == 0


async def test_what_is_beyond_the_limit_is_read_and_dropped() -> None:
    capture, write = pipe(limit=4)
    os.write(write, b"123456")
    os.write(write, b"789")
    os.close(write)
    await capture.ended
    assert capture.output() == b"1234"
    assert capture.dropped == 5


async def test_endless_writer_does_not_keep_the_loop() -> None:
    capture, write = pipe()
    os.set_blocking(write, False)
    turns = 0
    for _ in range(50):
        try:
            os.write(write, b"x" * 65536)
        except BlockingIOError:
            turns += 1
        await asyncio.sleep(0)
    assert capture.dropped > 65536
    capture.close()
    capture.close()
    os.close(write)


async def test_holder_of_the_pipe_is_not_waited_for_beyond_the_drain() -> None:
    capture, write = pipe()
    os.write(write, b"said")
    await wait_ended((capture,), 0.01)
    assert capture.ended.done()
    assert capture.output() == b"said"
    os.close(write)


async def test_line_is_there_before_the_end() -> None:
    capture, write = pipe()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(capture.wait_line())
        os.write(write, b"ha")
        await asyncio.sleep(0)
        os.write(write, b"lf\nmore")
    assert capture.output().startswith(b"half\n")
    await capture.wait_line()
    capture.close()
    await capture.wait_line()
    os.close(write)


async def test_terminal_whose_other_end_is_gone_has_ended() -> None:
    master, slave = os.openpty()
    capture = OutputCapture(master, 100)
    os.write(slave, b"x")
    os.close(slave)
    await capture.ended
    assert capture.output() == b"x"
