"""Output between a monitor and one client."""

import asyncio
import time

import pytest

from cri.streaming import attach_queue
from cri.streaming.attach_queue import AttachQueue, ClientTooSlow
from cri.tests.streaming.fake_carrier import FakeCarrier


async def test_packets_are_delivered_in_order_and_joined() -> None:
    carrier, queue = FakeCarrier(), AttachQueue()
    out, err = carrier.stream(1), carrier.stream(3)
    for stream, data in ((out, b"a"), (out, b"b"), (err, b"c"), (out, b"d")):
        await queue.put(stream, data)
    queue.close()
    await queue.deliver()
    assert carrier.sent == {1: b"abd", 3: b"c"}


async def test_delivery_waits_for_packets() -> None:
    carrier, queue = FakeCarrier(), AttachQueue()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.deliver())
        await asyncio.sleep(0)
        await queue.put(carrier.stream(), b"late")
        await asyncio.sleep(0)
        queue.close()
    assert carrier.sent == {1: b"late"}


async def test_a_short_stall_is_waited_for() -> None:
    carrier, queue = FakeCarrier(), AttachQueue(limit=10)
    carrier.writable.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.deliver())
        await queue.put(carrier.stream(), b"12345678")
        waiting = group.create_task(queue.put(carrier.stream(), b"more than fits"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        carrier.writable.set()
        await waiting
        queue.close()
    assert carrier.sent == {1: b"12345678more than fits"}


async def test_a_stuck_client_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach_queue, "STALL_SECONDS", 0.0)
    queue = AttachQueue(limit=10)
    with pytest.raises(ClientTooSlow):
        await queue.put(FakeCarrier().stream(), bytes(11))


async def test_time_without_a_processor_is_not_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach_queue, "STALL_SECONDS", 0.2)
    carrier, queue = FakeCarrier(), AttachQueue(limit=10)
    carrier.writable.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.deliver())
        waiting = group.create_task(queue.put(carrier.stream(), b"more than fits"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.3)  # the daemon has no processor, and then the client reads at once
        carrier.writable.set()
        await waiting
        queue.close()
