"""One stream: reading, writing, ends, and its bound."""

import asyncio

from cri.streaming.client_stream import UNREAD_HIGH, UNREAD_LOW
from cri.tests.streaming.fake_carrier import FakeCarrier


async def test_what_came_is_read_in_order_and_then_the_end() -> None:
    stream = FakeCarrier().stream()
    stream.feed(b"a")
    stream.feed(b"b")
    stream.feed_end()
    stream.feed(b"after the end")
    assert [await stream.read() for _ in range(3)] == [b"a", b"b", b""]


async def test_a_reader_waits_for_what_comes() -> None:
    stream = FakeCarrier().stream()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(stream.read())
        await asyncio.sleep(0)
        stream.feed(b"late")
        stream.feed(b"and more")
    assert reading.result() == b"late"


async def test_too_much_unread_chokes_until_most_is_read() -> None:
    carrier = FakeCarrier()
    stream = carrier.stream()
    block = bytes(UNREAD_LOW)
    for _ in range(UNREAD_HIGH // UNREAD_LOW + 1):
        stream.feed(block)
    assert carrier.choked == {1}
    assert carrier.unread == UNREAD_HIGH + UNREAD_LOW
    for _ in range(3):
        await stream.read()
    assert carrier.choked == {1}
    await stream.read()
    assert carrier.choked == set()
    stream.discard()
    assert carrier.unread == 0
    stream.feed(b"dropped")
    assert carrier.unread == 0


async def test_writing_and_ending_go_to_the_connection_until_the_client_is_gone() -> None:
    carrier = FakeCarrier()
    stream = carrier.stream()
    await stream.write(b"a")
    stream.write_now(b"b")
    stream.finish()
    stream.feed_reset()
    await stream.write(b"c")
    stream.write_now(b"d")
    stream.finish()
    stream.reset()
    assert carrier.sent == {1: b"ab"}
    assert carrier.finished == [1]
    assert carrier.were_reset == []
    assert stream.gone.is_set()
    assert await stream.read() == b""


async def test_a_reset_of_ours_is_told_and_frees_what_is_unread() -> None:
    carrier = FakeCarrier()
    stream = carrier.stream()
    stream.feed(b"unread")
    stream.reset()
    assert carrier.were_reset == [1]
    assert carrier.unread == 0
