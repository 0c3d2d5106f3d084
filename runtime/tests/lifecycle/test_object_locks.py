"""Locks: one at a time, and who waits is told for whom."""

import asyncio

import pytest

from runtime.errors import DeadlineExceeded
from runtime.lifecycle.object_locks import ObjectLocks


async def test_one_object_has_one_holder_and_others_are_free() -> None:
    locks = ObjectLocks()
    order: list[str] = []

    async def use(id: str, name: str) -> None:
        async with locks.hold(id, name):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(use("a", "1"), use("a", "2"), use("b", "3"))
    assert order.index("1 out") < order.index("2 in")
    assert order.index("3 in") < order.index("1 out")
    assert locks.held() == ()


async def test_who_waits_too_long_is_told_who_holds_it() -> None:
    locks = ObjectLocks(timeout_seconds=0)
    async with locks.hold("a", "remove web"):
        assert locks.held() == (("a", "remove web"),)
        with pytest.raises(DeadlineExceeded, match="start web: waited 0 s for remove web"):
            async with locks.hold("a", "start web"):
                pass
    async with locks.hold("a", "again"):
        pass


async def test_a_failure_inside_frees_the_lock() -> None:
    locks = ObjectLocks()
    with pytest.raises(KeyError):
        async with locks.hold("a", "x"):
            raise KeyError
    assert locks.held() == ()
