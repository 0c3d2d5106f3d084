"""The set of streams of one command."""

import asyncio

import pytest

from cri.streaming import command_streams
from cri.streaming.command_streams import StreamCollector
from cri.tests.streaming.fake_carrier import FakeCarrier


async def test_the_set_is_complete_in_any_order() -> None:
    carrier = FakeCarrier()
    collector = StreamCollector(frozenset({"error", "stdin", "stdout"}))
    for number, name in enumerate(("stdout", "error", "stdin")):
        assert collector.missing() != ""
        assert collector.take(carrier.stream(number, streamtype=name))
    assert await collector.wait_complete(asyncio.Event())
    streams = collector.streams
    assert streams.stdin is not None
    assert streams.stdout is not None
    assert streams.error is not None
    assert (streams.stderr, streams.resize) == (None, None)


async def test_what_is_not_wanted_or_comes_twice_is_refused() -> None:
    carrier = FakeCarrier()
    collector = StreamCollector(frozenset({"error"}))
    assert not collector.take(carrier.stream(1, streamtype="stdin"))
    assert not collector.take(carrier.stream(3))
    assert collector.take(carrier.stream(5, streamtype="error"))
    assert not collector.take(carrier.stream(7, streamtype="error"))


async def test_a_missing_stream_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_streams, "CREATION_SECONDS", 0.0)
    collector = StreamCollector(frozenset({"error", "stdin"}))
    with pytest.raises(TimeoutError):
        await collector.wait_complete(asyncio.Event())
    assert collector.missing() == "error, stdin"


async def test_streams_of_a_client_that_is_gone_are_not_waited_for() -> None:
    carrier, lost = FakeCarrier(), asyncio.Event()
    collector = StreamCollector(frozenset({"error", "stdin"}))
    asyncio.get_running_loop().call_soon(lost.set)
    assert not await collector.wait_complete(lost)
    for number, name in enumerate(("error", "stdin")):
        asyncio.get_running_loop().call_soon(
            collector.take, carrier.stream(number, streamtype=name)
        )
    assert await collector.wait_complete(asyncio.Event())
