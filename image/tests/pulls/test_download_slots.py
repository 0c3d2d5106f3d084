"""Slots go to the small before the huge, within the limits, and to everybody in time."""

import asyncio

import pytest

from image.protocol.byte_budget import ByteBudget
from image.pulls.download_slots import DownloadSlots


class Queue:
    """Waiters by name, in the order in which they get their slots."""

    def __init__(self, slots: DownloadSlots, group: asyncio.TaskGroup) -> None:
        self.slots = slots
        self.group = group
        self.got: list[str] = []

    async def wait(self, name: str, size: int, registry: str = "r") -> asyncio.Task[None]:
        task = self.group.create_task(self._acquire(name, size, registry))
        await asyncio.sleep(0)
        return task

    async def _acquire(self, name: str, size: int, registry: str) -> None:
        await self.slots.acquire(registry, size)
        self.got.append(name)

    async def release(self, registry: str = "r") -> None:
        self.slots.release(registry)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_small_image_overtakes_a_huge_one() -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        queue = Queue(DownloadSlots(total=1), group)
        await queue.wait("first", 10**9)
        await queue.wait("huge", 10**9)
        await queue.wait("small", 10)
        await queue.release()
        await queue.release()
        assert queue.got == ["first", "small", "huge"]
        assert queue.slots.active == 1


async def test_nobody_is_overtaken_for_ever() -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        queue = Queue(DownloadSlots(total=1), group)
        await queue.wait("first", 1)
        await queue.wait("huge", 10**9)
        for number in range(40):
            await queue.wait(f"small {number}", 10)
            await queue.release()
        assert queue.got.index("huge") == 33
        await queue.release()
        assert len(queue.got) == 42


async def test_one_registry_does_not_take_all_slots() -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        queue = Queue(DownloadSlots(total=3, per_registry=2), group)
        for number in range(3):
            await queue.wait(f"a{number}", 1, "a")
        await queue.wait("b0", 1, "b")
        await queue.wait("b1", 1, "b")
        await asyncio.sleep(0)
        assert queue.got == ["a0", "a1", "b0"]
        await queue.release("a")
        assert queue.got[3:] == ["a2"]
        await queue.release("b")
        assert queue.got[4:] == ["b1"]


async def test_waiter_that_leaves_loses_no_slot() -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        queue = Queue(DownloadSlots(total=1), group)
        await queue.wait("first", 1)
        leaver = await queue.wait("leaver", 1)
        leaver.cancel()
        await asyncio.wait([leaver])
        await queue.release()
        assert queue.slots.active == 0
        granted_and_gone = await queue.wait("x", 1)
        await asyncio.wait([granted_and_gone])
        late = await queue.wait("late", 1)
        queue.slots.release("r")
        late.cancel()
        await asyncio.wait([late])
        assert queue.slots.active == 0


async def test_rate_is_shared_among_running_downloads() -> None:
    slots = DownloadSlots(bytes_per_second=1000)
    told: list[int] = []
    stop = slots.listen(told.append)
    await slots.acquire("r", 1)
    await slots.acquire("r", 1)
    slots.release("r")
    stop()
    slots.release("r")
    assert told == [1000, 500, 1000]
    assert DownloadSlots().rate == 0


@pytest.mark.parametrize("total", [0, 100])
async def test_without_limits_nobody_waits(total: int) -> None:
    slots = DownloadSlots(total=total)
    for _ in range(50):
        await slots.acquire("r", 1)
    assert slots.active == 50


@pytest.mark.parametrize("downloads", [1, 3])
@pytest.mark.parametrize("piece", [1_000, 100_000, 256 * 1024])
async def test_rate_of_all_downloads_together_is_the_limit(downloads: int, piece: int) -> None:
    """Within a tenth over ten seconds, whatever the size of the pieces; the line itself is much faster."""
    limit, line = 4_000_000, 100_000_000
    slots = DownloadSlots(bytes_per_second=limit)
    for number in range(downloads):
        await slots.acquire(f"r{number % 2}", 1)
    budgets = [ByteBudget(now=0.0) for _ in range(downloads)]
    ready = [0.0] * downloads  # when each may take its next piece
    received = 0
    while (now := min(ready)) < 10.0:
        one = ready.index(now)
        arrived = now + piece / line
        received += piece
        ready[one] = arrived + budgets[one].spend(piece, now=arrived, rate=slots.rate)
    assert received == pytest.approx(10 * limit, rel=0.1)
