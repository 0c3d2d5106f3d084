"""StopContainer: one signal, patience that only gets shorter, SIGKILL, and EXITED when it returns."""

import asyncio
import signal
from dataclasses import replace

import pytest

from runtime.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from runtime.lifecycle import container_stop
from runtime.lifecycle.container_pause import pause_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.resource_update import update_container
from runtime.records.container import ContainerConfig, ContainerRecord, ContainerState
from runtime.records.resources import LinuxResources
from runtime.tests.lifecycle.rig import Rig, container_config


async def running(rig: Rig, config: ContainerConfig | None = None) -> ContainerRecord:
    container = await rig.container(await rig.pod(), config)
    await start_container(rig.node, container.id)
    return rig.node.container(container.id)


async def test_the_stop_signal_is_sent_once_and_its_effect_awaited(rig: Rig) -> None:
    container = await running(rig, container_config(stop_signal="SIGINT"))
    await stop_container(rig.node, container.id, 30)
    ended = rig.node.container(container.id)
    assert (ended.state, ended.exit_code) == (ContainerState.EXITED, 128 + signal.SIGINT)
    assert "terminate" not in rig.driver.calls


async def test_without_grace_it_is_killed_at_once(rig: Rig) -> None:
    container = await running(rig)
    fake = rig.driver.container(container.id)
    await stop_container(rig.node, container.id, 0)
    assert fake.signals == [signal.SIGKILL]
    assert rig.node.container(container.id).exit_code == 137


async def test_a_program_that_ignores_the_signal_is_killed_after_its_grace(rig: Rig) -> None:
    container = await running(rig)
    fake = rig.driver.container(container.id)
    fake.ignored_signals = {signal.SIGTERM}
    stopping = asyncio.create_task(stop_container(rig.node, container.id, 3600))
    while not fake.signals:
        await asyncio.sleep(0.001)
    rig.node.live[container.id].shorten_grace(0)
    await stopping
    assert fake.signals == [signal.SIGTERM, signal.SIGKILL]


async def test_a_later_call_with_a_shorter_timeout_shortens_and_does_not_signal_again(
    rig: Rig,
) -> None:
    container = await running(rig)
    fake = rig.driver.container(container.id)
    fake.ignored_signals = {signal.SIGTERM}
    first = asyncio.create_task(stop_container(rig.node, container.id, 3600))
    while not fake.signals:
        await asyncio.sleep(0.001)
    await stop_container(rig.node, container.id, 0)
    await first
    assert fake.signals == [signal.SIGTERM, signal.SIGKILL]


async def test_a_later_call_with_a_longer_timeout_changes_nothing(rig: Rig) -> None:
    container = await running(rig)
    live = rig.node.live[container.id]
    live.shorten_grace(5)
    before = live._kill_at
    live.shorten_grace(50)
    assert live._kill_at == before


async def test_a_client_that_goes_away_does_not_end_the_stop(rig: Rig) -> None:
    container = await running(rig)
    fake = rig.driver.container(container.id)
    fake.ignored_signals = {signal.SIGTERM}
    first = asyncio.create_task(stop_container(rig.node, container.id, 3600))
    while not fake.signals:
        await asyncio.sleep(0.001)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await stop_container(rig.node, container.id, 0)
    assert rig.node.container(container.id).state is ContainerState.EXITED


async def test_unknown_and_ended_containers_are_stopped_already(rig: Rig) -> None:
    await stop_container(rig.node, "f" * 64, 10)
    container = await running(rig)
    await stop_container(rig.node, container.id, 0)
    calls = list(rig.driver.calls)
    await stop_container(rig.node, container.id, 10)
    assert rig.driver.calls == calls


async def test_an_ambiguous_id_is_refused(rig: Rig) -> None:
    pod = await rig.pod()
    rig.node.random_bytes = lambda count: b"\x00" * (count - 1) + bytes([len(rig.node.containers)])
    await rig.container(pod)
    await rig.container(pod, container_config("b"))
    with pytest.raises(InvalidArgument, match="2 ids"):
        await stop_container(rig.node, "00", 0)


async def test_a_created_container_ends_too(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await stop_container(rig.node, container.id, 10)
    assert rig.node.container(container.id).state is ContainerState.EXITED


async def test_a_paused_container_is_resumed_first(rig: Rig) -> None:
    container = await running(rig)
    await pause_container(rig.node, container.id)
    await stop_container(rig.node, container.id, 10)
    assert rig.driver.calls.index("resume") < rig.driver.calls.index("shutdown")


async def test_one_that_cannot_be_killed_is_told_and_a_retry_can_succeed(rig: Rig) -> None:
    container = await running(rig)
    fake = rig.driver.container(container.id)
    deliver = fake.deliver
    fake.deliver = lambda number: True  # type: ignore[method-assign]
    with pytest.raises(DeadlineExceeded, match=r"stop default/web/app: did not end"):
        await stop_container(rig.node, container.id, 0)
    assert rig.node.container(container.id).state is ContainerState.RUNNING
    fake.deliver = deliver  # type: ignore[method-assign]
    await stop_container(rig.node, container.id, 0)
    assert rig.node.container(container.id).state is ContainerState.EXITED


async def test_a_container_that_could_not_be_taken_up_is_killed_by_its_driver(rig: Rig) -> None:
    container = await running(rig)
    live = rig.node.live[container.id]
    live.handle = None
    rig.node.show_container(replace(container, state=ContainerState.UNKNOWN))
    await stop_container(rig.node, container.id, 0)
    assert container.id not in rig.driver.containers
    assert rig.node.container(container.id).state is ContainerState.EXITED


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_stop, "_PATIENCE_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_a_start_that_hangs_is_given_up_and_the_container_killed(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    fake = rig.driver.container(container.id)
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    await stop_container(rig.node, container.id, 30)
    ended = rig.node.container(container.id)
    assert (ended.state, ended.reason) == (ContainerState.EXITED, "StartError")
    assert fake.signals == [signal.SIGKILL]
    with pytest.raises(FailedPrecondition, match=r"start default/web/app: it hung"):
        await starting
    await rig.restart()
    assert rig.node.container(container.id).state is ContainerState.EXITED


@pytest.mark.usefixtures("impatient")
async def test_an_update_that_hangs_is_given_up(rig: Rig) -> None:
    container = await running(rig)
    rig.driver.hang("update")
    updating = asyncio.create_task(
        update_container(rig.node, container.id, LinuxResources(cpu_shares=2))
    )
    while "update" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    await stop_container(rig.node, container.id, 0)
    assert rig.node.container(container.id).exit_code == 137
    with pytest.raises(FailedPrecondition, match="update default/web/app: it hung"):
        await updating


async def test_a_start_that_goes_on_is_waited_for(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.hang("start")
    starting = asyncio.create_task(start_container(rig.node, container.id))
    while "start" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    stopping = asyncio.create_task(stop_container(rig.node, container.id, 30))
    await asyncio.sleep(0)
    rig.driver.release("start")
    await starting
    await stopping
    assert rig.node.container(container.id).exit_code == 128 + signal.SIGTERM
