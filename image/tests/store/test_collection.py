"""Collecting goes on whatever happens to one round."""

import asyncio

import pytest

from image.errors import Internal
from image.store.collection import collect_periodically


class Store:
    def __init__(self) -> None:
        self.answers: list[int | Exception] = [0, Internal("disk", "broken"), OSError(5, "bad"), 3]
        self.done = asyncio.Event()

    async def collect(self) -> int:
        answer = self.answers.pop(0)
        if not self.answers:
            self.done.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_rounds_that_fail_are_told_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    store = Store()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        rounds = group.create_task(collect_periodically(store, 0.001))
        await store.done.wait()
        while "deleted 3 things" not in caplog.text:
            await asyncio.sleep(0)
        rounds.cancel()
    assert caplog.text.count("stays for now") == 2
