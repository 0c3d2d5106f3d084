"""How an end is told: code, reason, order, and nothing left running."""

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import Unavailable
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.exit_watch import exited_record
from runtime.records.container import ContainerRecord, ContainerState
from runtime.records.security import NamespaceMode
from runtime.tests.lifecycle.rig import Rig, container_config
from runtime.tests.store.sample_rows import container


async def ended(rig: Rig, container: ContainerRecord) -> ContainerRecord:
    await rig.node.live[container.id].exited.wait()
    return rig.node.container(container.id)


@pytest.mark.parametrize(
    ("code", "oom", "lost", "reason"),
    [
        (0, False, False, "Completed"),
        (3, False, False, "Error"),
        (137, True, False, "OOMKilled"),
        (0, True, False, "Completed"),
        (255, False, True, "MonitorLost"),
    ],
)
async def test_an_end_is_told_with_its_reason(
    rig: Rig, code: int, oom: bool, lost: bool, reason: str
) -> None:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    rig.driver.container(container.id).exit(code, oom=oom, monitor_lost=lost)
    record = await ended(rig, container)
    assert (record.state, record.exit_code, record.reason) == (ContainerState.EXITED, code, reason)
    assert record.finished_at_ns


def test_an_end_is_never_told_to_be_before_its_start() -> None:
    running = replace(container(), state=ContainerState.RUNNING, started_at_ns=2_000)
    assert exited_record(running, 0, 1_999, "Completed", "").finished_at_ns == 2_000
    assert exited_record(running, 0, 2_001, "Completed", "").finished_at_ns == 2_001


async def test_an_end_is_stored(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.container(container.id).exit(4)
    record = await ended(rig, container)
    await rig.restart()
    assert rig.node.container(container.id) == record


@pytest.mark.parametrize(
    ("mode", "killed"), [(NamespaceMode.POD, True), (NamespaceMode.CONTAINER, False)]
)
async def test_what_shares_a_pid_namespace_is_killed_with_its_first_process(
    rig: Rig, mode: NamespaceMode, killed: bool
) -> None:
    container = await rig.container(await rig.pod(), container_config(pid=mode))
    rig.driver.container(container.id).exit(0)
    await ended(rig, container)
    assert (f"/lading/{container.id}" in rig.host.called("kill_cgroup")) is killed


async def test_a_cgroup_that_cannot_be_emptied_does_not_hide_the_end(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.host.fail("kill_cgroup")
    rig.driver.container(container.id).exit(0)
    assert (await ended(rig, container)).state is ContainerState.EXITED


async def test_an_end_that_cannot_be_observed_is_told_as_such(rig: Rig) -> None:
    pod = await rig.pod()
    rig.driver.fail("wait", Unavailable("wait", "the exit directory is gone"))
    container = await rig.container(pod)
    record = await ended(rig, container)
    assert (record.exit_code, record.reason) == (255, "MonitorLost")


async def test_the_death_of_the_pause_process_makes_the_pod_not_ready(rig: Rig) -> None:
    pod = await rig.pod()
    rig.host.end_process(pod.pause_pid)
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.node.sandbox(pod.id).state == "notready"
    assert rig.network.attached
