"""Output: to the last byte, and not longer than the process."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cri.streaming import output_pump
from cri.streaming.output_pump import OutputPump
from cri.tests.streaming.fake_carrier import FakeCarrier


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield read, write
    os.close(read)
    os.close(write)


@pytest.fixture
def short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_pump, "DRAIN_SECONDS", 0.01)


async def test_everything_is_copied_and_the_stream_ended(pipe: tuple[int, int]) -> None:
    carrier, (read, write) = FakeCarrier(), pipe
    os.write(write, b"all of it")
    end = os.dup(write)
    os.dup2(read, write)  # closes the writing end
    os.close(end)
    await OutputPump(read, carrier.stream()).run()
    assert carrier.sent == {1: b"all of it"}
    assert carrier.finished == [1]


async def test_a_child_that_keeps_the_pipe_open_is_not_waited_for(
    pipe: tuple[int, int], short_drain: None
) -> None:
    carrier = FakeCarrier()
    pump = OutputPump(pipe[0], carrier.stream())
    os.write(pipe[1], b"said")
    async with asyncio.TaskGroup() as group:
        group.create_task(pump.run())
        for _ in range(3):
            await asyncio.sleep(0)
        pump.note_process_ended()
    assert carrier.sent == {1: b"said"}
    assert carrier.finished == [1]


async def test_a_slow_client_still_gets_what_the_process_wrote(
    pipe: tuple[int, int], short_drain: None
) -> None:
    carrier = FakeCarrier()
    carrier.writable.clear()
    pump = OutputPump(pipe[0], carrier.stream())
    os.write(pipe[1], b"first,")
    async with asyncio.TaskGroup() as group:
        group.create_task(pump.run())
        for _ in range(3):
            await asyncio.sleep(0)
        os.write(pipe[1], b"second")
        pump.note_process_ended()
        await asyncio.sleep(0.02)  # past the drain
        carrier.writable.set()
    assert carrier.sent == {1: b"first,second"}


async def test_a_child_that_writes_for_ever_is_cut_after_a_pipe_full(
    pipe: tuple[int, int], short_drain: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_pump, "PIPE_SIZE", 4096)
    pump = OutputPump(pipe[0], None)
    stop = asyncio.Event()

    async def write_for_ever() -> None:
        while not stop.is_set():
            with suppress(BlockingIOError):
                os.write(pipe[1], bytes(4096))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(write_for_ever())
        pump.note_process_ended()
        await pump.run()
        stop.set()
