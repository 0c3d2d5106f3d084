"""One flight per blob at a time, first come first served, and nothing is left of those who leave."""

import asyncio

from image.store.blob_flights import BlobFlights


class Queue:
    """Waiters by name, in the order in which they get the flight."""

    def __init__(self, flights: BlobFlights, group: asyncio.TaskGroup) -> None:
        self.flights = flights
        self.group = group
        self.got: list[str] = []

    async def wait(self, name: str, blob: str = "a") -> asyncio.Task[None]:
        task = self.group.create_task(self._acquire(name, blob))
        await asyncio.sleep(0)
        return task

    async def _acquire(self, name: str, blob: str) -> None:
        await self.flights.acquire(blob)
        self.got.append(name)

    async def release(self, blob: str = "a") -> None:
        self.flights.release(blob)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_flights_are_given_in_turn_and_each_blob_has_its_own() -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        queue = Queue(BlobFlights(), group)
        for name in ("first", "second", "third"):
            await queue.wait(name)
        await queue.wait("other", "b")
        assert queue.got == ["first", "other"]
        await queue.release()
        await queue.release()
        assert queue.got == ["first", "other", "second", "third"]


async def test_waiter_that_leaves_is_passed_over() -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        flights = BlobFlights()
        queue = Queue(flights, group)
        await queue.wait("first")
        leaver = await queue.wait("leaver")
        await queue.wait("last")
        leaver.cancel()
        await queue.release()
        assert queue.got == ["first", "last"]
        await queue.release()
        await queue.wait("anew")
        assert queue.got == ["first", "last", "anew"]
        await queue.release()
    assert vars(flights)["_flights"] == {}


def test_blob_is_wanted_as_long_as_one_pull_needs_it() -> None:
    flights = BlobFlights()
    flights.want("a")
    flights.want("a")
    flights.unwant(["a"])
    assert flights.is_wanted("a")
    flights.unwant(["a", "b"])
    assert not flights.is_wanted("a")
