"""Workers serve one conversation each; one is kept warm, replaced when it dies, and ended in time."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from image.errors import ResourceExhausted, Unavailable
from image.pulls.worker_pool import WorkerPool
from image.tests.pulls.subprocess_launcher import (
    SPEAK,
    SubprocessLauncher,
    SubprocessWorker,
    TaskKeeper,
)

ECHO = SPEAK + "say(request)\n" * 2 + "hear()"


class Site:
    def __init__(self, keep: float) -> None:
        self.launcher = SubprocessLauncher(ECHO)
        self.tasks = TaskKeeper()
        self.pool = WorkerPool(
            self.launcher,
            argv=lambda fd: ("worker", str(fd)),
            environment=lambda: {"A": "1"},
            keep_seconds=keep,
            spawn=lambda coroutine, name: self.tasks.spawn(coroutine, name=name),
        )

    async def talk(self) -> int:
        """Have a conversation and give the number of the process that had it."""
        async with self.pool.worker() as channel:
            channel.send({"kind": "hello"})
            answer = await channel.receive()
            assert answer is not None
            number = len(self.launcher.started)
        assert answer.text("kind") == "hello"
        return number

    def alive(self) -> int:
        return sum(os.path.exists(f"/proc/{one.pid}") for one in self.launcher.started)

    async def warmed(self, number: int) -> None:
        """Wait until so many processes were started."""
        async with asyncio.timeout(30):
            while len(self.launcher.started) < number:
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def site(keep: float) -> AsyncIterator[Site]:
    made = Site(keep)
    try:
        yield made
    finally:
        await made.pool.close()
        await made.tasks.wait_all()
        assert made.alive() == 0


async def test_cold_pool_starts_a_worker_per_conversation() -> None:
    async with site(0.0) as made:
        assert [await made.talk(), await made.talk()] == [1, 2]
        assert made.alive() == 0


async def test_warm_worker_serves_the_next_conversation() -> None:
    async with site(1000.0) as made:
        await made.talk()
        await made.warmed(2)
        assert made.alive() == 1
        assert await made.talk() == 2
        await made.warmed(3)


async def test_warm_worker_that_dies_is_not_given_out() -> None:
    async with site(1000.0) as made:
        await made.talk()
        await made.warmed(2)
        made.launcher.started[1].kill()
        await made.tasks.wait_all()
        assert await made.talk() == 3
        await made.warmed(4)


async def test_warm_worker_is_ended_when_nobody_wants_it() -> None:
    async with site(0.01) as made:
        await made.talk()
        await made.tasks.wait_all()
        assert len(made.launcher.started) == 2
        assert made.alive() == 0


class NoWorkers(SubprocessLauncher):
    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> SubprocessWorker:
        raise Unavailable("worker", "cannot be started")


async def test_worker_that_cannot_be_started_leaves_nothing() -> None:
    async with site(1000.0) as made:
        await made.talk()
        await made.pool.close()
        made.pool._keep_seconds, made.pool._launcher = 1000.0, NoWorkers()
        with pytest.raises(Unavailable):
            await made.talk()
        made.pool._keep_one()
        await made.tasks.wait_all()
        assert all(task.cancelled() or not task.exception() for task in made.tasks.tasks)


@pytest.mark.parametrize("for_memory", [True, False])
async def test_a_worker_killed_for_memory_names_the_setting(for_memory: bool) -> None:
    async with site(0.0) as place:

        async def talk() -> None:
            async with place.pool.worker() as channel:
                worker = place.launcher.started[0]
                worker.killed_for_memory = for_memory
                worker.kill()
                assert await channel.receive() is None
                raise Unavailable("it", "worker process ended", reason="WorkerDied")

        with pytest.raises((ResourceExhausted, Unavailable)) as caught:
            await talk()
        if for_memory:
            assert (caught.value.subject, caught.value.reason) == ("it", "WorkerMemory")
            assert "image.worker_memory" in caught.value.remedy
        else:
            assert caught.value.reason == "WorkerDied"
