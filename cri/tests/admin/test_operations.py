"""Operations are told with stage and age, and cancelled by id."""

import asyncio

import pytest

from cri.admin.arguments import Arguments
from cri.admin.operations import (
    STUCK_SECONDS,
    all_operations,
    cancel_operation,
    operation,
    operations,
)
from cri.tests.admin.conftest import Site, rows, running_pull
from runtime.errors import FailedPrecondition, NotFound, Unavailable
from runtime.lifecycle.operations import Operation, Ticket

TICKET = Ticket(kind="run", key="k", subject="run default/web")


class Work:
    """An operation that waits in a stage."""

    def __init__(self, *, sealed: bool = False) -> None:
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.sealed = sealed

    async def __call__(self, operation: Operation) -> None:
        if self.sealed:
            operation.seal()
        async with operation.stage("mount", 120):
            self.begun.set()
            await self.end.wait()


async def test_what_runs_is_told_with_its_stage(site: Site) -> None:
    work = Work()
    site.puller.now = (running_pull(),)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.rig.node.operations.run(TICKET, work))
        await work.begun.wait()
        answer = await operations(site.parts, Arguments({}))
        found = answer["operations"]
        assert isinstance(found, list)
        pull, run = found
        assert (run["kind"], run["object"], run["stage"]) == ("run", "default/web", "mount")
        assert (run["budget_seconds"], run["waiters"], run["stuck"]) == (120, 1, False)
        assert (pull["kind"], pull["stage"], pull["waiters"]) == ("pull", "resolving", 1)
        one = await operation(site.parts, Arguments({"id": run["id"][:4]}))
        assert isinstance(one["stages"], list)
        assert one["stages"][0]["name"] == "mount"
        work.end.set()


async def test_an_old_stage_is_stuck(site: Site) -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        group.create_task(site.rig.node.operations.run(TICKET, work))
        await work.begun.wait()
        (running,) = site.rig.node.operations.running()
        running.stages[0].started -= max(STUCK_SECONDS, 60) + 1
        assert all_operations(site.parts)[0].stuck
        answer = await operations(site.parts, Arguments({"stuck": True}))
        assert len(rows(answer, "operations")) == 1
        work.end.set()


async def test_cancelling_tells_whoever_waits(site: Site) -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_outcome(site, work))
        await work.begun.wait()
        (one,) = all_operations(site.parts)
        await cancel_operation(site.parts, Arguments({"id": one.id}))
    assert "cancelled by an operator" in str(waiting.result())


async def _outcome(site: Site, work: Work) -> Unavailable:
    with pytest.raises(Unavailable) as told:
        await site.rig.node.operations.run(TICKET, work)
    return told.value


async def test_what_is_sealed_cannot_be_cancelled(site: Site) -> None:
    work = Work(sealed=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(site.rig.node.operations.run(TICKET, work))
        await work.begun.wait()
        (one,) = all_operations(site.parts)
        with pytest.raises(FailedPrecondition, match="no longer be undone"):
            await cancel_operation(site.parts, Arguments({"id": one.id}))
        work.end.set()


async def test_pulls_are_cancelled_too_and_unknown_ids_refused(site: Site) -> None:
    site.puller.now = (running_pull(),)
    await cancel_operation(site.parts, Arguments({"id": "1234"}))
    assert site.puller.cancelled == ["12345678"]
    with pytest.raises(NotFound, match="lading operations"):
        await operation(site.parts, Arguments({"id": "ffff"}))
