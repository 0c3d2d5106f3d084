"""Operations: joined, outliving their callers, told with their timelines."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from runtime.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    Unavailable,
)
from runtime.lifecycle import operations
from runtime.lifecycle.operations import Operation, Operations, Ticket
from runtime.tests.lifecycle.rig import TestSupervisor


@dataclass(frozen=True)
class Request:
    size: int = 1


def ticket(request: Request | None = None) -> Ticket:
    return Ticket(kind="run", key="k", subject="run default/web", request=request, object_id="o")


@pytest.fixture
async def running() -> AsyncIterator[Operations]:
    supervisor = TestSupervisor()
    yield Operations(supervisor)
    await supervisor.kill()


class Gate:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.calls = 0

    async def work(self, operation: Operation) -> int:
        self.calls += 1
        async with operation.stage("gate", 100):
            await self.opened.wait()
        return self.calls


async def test_equal_requests_are_one_operation(running: Operations) -> None:
    gate = Gate()
    both = [asyncio.create_task(running.run(ticket(Request()), gate.work)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.opened.set()
    assert await asyncio.gather(*both) == [1, 1]


async def test_after_the_end_a_request_is_a_new_operation(running: Operations) -> None:
    gate = Gate()
    gate.opened.set()
    assert [await running.run(ticket(), gate.work) for _ in range(2)] == [1, 2]
    assert running.running() == ()


async def test_a_different_request_is_refused_with_what_differs(running: Operations) -> None:
    gate = Gate()
    first = asyncio.create_task(running.run(ticket(Request()), gate.work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(AlreadyExists, match=r"differs in size.*gate for 0\.0 s"):
        await running.run(ticket(Request(2)), gate.work)
    gate.opened.set()
    await first


async def test_a_caller_that_goes_away_leaves_it_running(running: Operations) -> None:
    gate = Gate()
    caller = asyncio.create_task(running.run(ticket(), gate.work))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    operation = running.find("run", "k")
    assert operation is not None
    assert running.busy("o")
    assert "gate" in running.explain("o")
    gate.opened.set()
    assert await operation.wait_ended(1)
    assert running.explain("o") == ""


async def test_every_caller_gets_the_failure(running: Operations) -> None:
    async def work(_: Operation) -> None:
        raise Unavailable("cni ADD", "no answer")

    results = await asyncio.gather(
        *(running.run(ticket(), work) for _ in range(2)), return_exceptions=True
    )
    assert [str(one) for one in results] == [
        "run default/web: cni ADD: no answer [Unavailable]"
    ] * 2


async def test_a_fault_of_ours_is_internal(running: Operations) -> None:
    async def work(_: Operation) -> None:
        raise KeyError

    with pytest.raises(Internal):
        await running.run(ticket(), work)


async def test_a_failure_that_nobody_waits_for_is_logged(
    running: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gate = Gate()

    async def work(operation: Operation) -> None:
        await gate.work(operation)
        raise Unavailable("cni ADD", "no answer")

    caller = asyncio.create_task(running.run(ticket(), work))
    await asyncio.sleep(0)
    operation = running.find("run", "k")
    caller.cancel()
    gate.opened.set()
    assert operation is not None
    await operation.wait_ended(1)
    await asyncio.sleep(0)
    assert "no answer" in caplog.text


async def test_an_abandoned_operation_tells_its_callers_why(running: Operations) -> None:
    gate = Gate()
    caller = asyncio.create_task(running.run(ticket(), gate.work))
    await asyncio.sleep(0)
    (operation,) = running.running()
    operation.abandon(FailedPrecondition("create", "the pod is being stopped"))
    with pytest.raises(FailedPrecondition, match="being stopped"):
        await caller


async def test_a_sealed_operation_cannot_be_abandoned(running: Operations) -> None:
    gate = Gate()
    caller = asyncio.create_task(running.run(ticket(), gate.work))
    await asyncio.sleep(0)
    (operation,) = running.running()
    operation.seal()
    operation.abandon(FailedPrecondition("create", "the pod is being stopped"))
    gate.opened.set()
    assert await caller == 1


async def test_a_stage_past_its_limit_is_named_with_the_timeline(running: Operations) -> None:
    async def work(operation: Operation) -> None:
        async with operation.stage("namespaces", 1):
            pass
        async with operation.stage("network", 0):
            await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded, match=r"network took longer than 0 s.*namespaces \d+ ms"):
        await running.run(ticket(), work)


async def test_a_timeout_from_within_a_stage_is_not_the_stages(running: Operations) -> None:
    async def work(operation: Operation) -> None:
        async with operation.stage("network", 10):
            raise TimeoutError

    with pytest.raises(DeadlineExceeded, match="a time limit passed"):
        await running.run(ticket(), work)


async def test_a_slow_stage_is_logged_while_it_waits(
    running: Operations, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "SLOW_SECONDS", 0.0)
    gate = Gate()
    caller = asyncio.create_task(running.run(ticket(), gate.work))
    while not caplog.text:
        await asyncio.sleep(0)
    gate.opened.set()
    await caller
    assert "run default/web: gate waits for 0 s already" in caplog.text


async def test_waiting_for_an_end_has_a_limit(running: Operations) -> None:
    gate = Gate()
    caller = asyncio.create_task(running.run(ticket(), gate.work))
    await asyncio.sleep(0)
    (operation,) = running.running()
    assert not await operation.wait_ended(0)
    assert "begins" in operation.describe() or "gate" in operation.describe()
    gate.opened.set()
    await caller
