"""StartContainer: only once, only from CREATED, and a failure is the end."""

import asyncio

import pytest

from runtime.drivers.driver import ExitStatus
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from runtime.lifecycle.container_remove import remove_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.container import ContainerState
from runtime.tests.lifecycle.rig import Rig


async def test_a_started_container_runs_and_knows_since_when(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    assert container.started_at_ns == 0
    await start_container(rig.node, container.id[:10])
    running = rig.node.container(container.id)
    assert running.state is ContainerState.RUNNING
    assert running.started_at_ns > container.created_at_ns


async def test_a_missing_container_is_told(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await start_container(rig.node, "f" * 64)


@pytest.mark.parametrize("state", ["running", "exited"])
async def test_a_container_is_started_once(rig: Rig, state: str) -> None:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    if state == "exited":
        await stop_container(rig.node, container.id, 0)
    with pytest.raises(FailedPrecondition, match=state):
        await start_container(rig.node, container.id)


async def test_a_failed_start_is_final_and_tells_why(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.fail("start", InvalidArgument("/bin/app", "does not exist", reason="NoProgram"))
    with pytest.raises(InvalidArgument, match="start default/web/app: /bin/app: does not exist"):
        await start_container(rig.node, container.id)
    failed = rig.node.container(container.id)
    assert (failed.state, failed.exit_code, failed.reason) == (
        ContainerState.EXITED,
        128,
        "StartError",
    )
    assert "/bin/app: does not exist" in failed.message
    assert failed.started_at_ns == 0
    assert failed.finished_at_ns
    with pytest.raises(FailedPrecondition):
        await start_container(rig.node, container.id)
    await remove_container(rig.node, container.id)
    assert not rig.driver.containers


async def test_a_pod_that_was_stopped_starts_nothing(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(FailedPrecondition):
        await start_container(rig.node, container.id)


async def test_two_starts_at_once_are_one(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await asyncio.gather(*(start_container(rig.node, container.id) for _ in range(2)))
    assert rig.driver.calls.count("start") == 1


async def test_a_removal_waits_for_a_start_under_way(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    removing = asyncio.create_task(remove_container(rig.node, container.id))
    await asyncio.sleep(0)
    assert "delete" not in rig.driver.calls
    rig.driver.release("start")
    await starting
    await removing
    assert rig.node.containers == {}


async def test_a_program_that_ends_at_once_was_running_first(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    heard = rig.node.events.subscribe()
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    original = rig.driver.container(container.id)
    original.ended.set_result(ExitStatus(exit_code=3, finished_at_ns=5))
    await asyncio.sleep(0)
    assert rig.node.container(container.id).state is ContainerState.CREATED
    rig.driver.release("start")
    await starting
    events = aiter(heard)
    assert [(await anext(events)).kind for _ in range(2)] == [
        EventKind.STARTED,
        EventKind.STOPPED,
    ]
    assert rig.node.container(container.id).exit_code == 3


@pytest.mark.parametrize("happened", [True, False])
async def test_after_a_crash_in_a_start_the_runtime_is_asked_whether_it_happened(
    rig: Rig, happened: bool
) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    if happened:
        rig.driver.container(container.id).status = "running"
    await rig.restart()
    await asyncio.gather(starting, return_exceptions=True)
    expected = ContainerState.RUNNING if happened else ContainerState.CREATED
    assert rig.node.container(container.id).state is expected
    if not happened:
        await start_container(rig.node, container.id)
        assert rig.node.container(container.id).state is ContainerState.RUNNING


async def test_a_start_that_the_daemons_end_cuts_short_stays_undecided(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    operation = rig.node.operations.find("start", container.id)
    assert operation is not None
    assert operation.task is not None
    operation.task.cancel()
    with pytest.raises(Unavailable):
        await starting
    assert rig.node.container(container.id).state is ContainerState.CREATED
    assert rig.driver.container(container.id).signals == []
