"""Input and sizes of clients."""

import asyncio
import os

import pytest

from cri.streaming import input_copy
from cri.streaming.descriptor_streams import DescriptorWriter
from cri.streaming.input_copy import SizeStream, copy_input
from cri.streaming.wire.terminal_sizes import TerminalSize
from cri.tests.streaming.fake_carrier import FakeCarrier


async def test_input_is_copied_to_its_end() -> None:
    read, write = os.pipe()
    stream = FakeCarrier().stream()
    stream.feed(b"typed")
    stream.feed_end()
    assert await copy_input(stream, DescriptorWriter(write))
    assert os.read(read, 100) == b"typed"
    os.close(read)
    stream = FakeCarrier().stream()
    stream.feed(b"nobody reads")
    assert not await copy_input(stream, DescriptorWriter(write))
    os.close(write)


async def test_the_newest_size_counts() -> None:
    stream = FakeCarrier().stream()
    stream.feed(b'{"Width":1,"Height":2}{"Width":3,"Height":4}')
    stream.feed(b'{"Width":5,')
    stream.feed(b'"Height":6}')
    stream.feed_end()
    sizes = SizeStream(stream)
    assert await sizes.first() == TerminalSize(3, 4)
    assert await sizes.next() == TerminalSize(5, 6)
    assert await sizes.next() is None


async def test_a_client_without_size_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_copy, "FIRST_SIZE_SECONDS", 0.0)
    stream = FakeCarrier().stream()
    sizes = SizeStream(stream)
    assert await sizes.first() is None
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(sizes.next())
        await asyncio.sleep(0)
        stream.feed(b'{"Width":7,"Height":8}')
    assert waiting.result() == TerminalSize(7, 8)


async def test_a_broken_size_ends_resizing() -> None:
    stream = FakeCarrier().stream()
    stream.feed(b"not json}")
    assert await SizeStream(stream).next() is None
