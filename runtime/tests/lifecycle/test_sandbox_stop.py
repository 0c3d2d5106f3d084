"""StopPodSandbox: everything is free afterwards, again and again, and what does not let go is not forgotten."""

import asyncio

import pytest

from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from runtime.lifecycle.container_create import create_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.periodic import finish_stops
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.container import ContainerState
from runtime.records.sandbox import SandboxState
from runtime.tests.lifecycle.rig import IMAGE, IMAGE_ID, Rig, container_config


async def test_a_stopped_pod_has_no_processes_network_or_namespaces(rig: Rig) -> None:
    pod = await rig.pod()
    first = await rig.container(pod)
    second = await rig.container(pod, container_config("db"))
    await start_container(rig.node, first.id)
    await stop_sandbox(rig.node, pod.id)
    stopped = rig.node.sandbox(pod.id)
    assert stopped.state is SandboxState.NOTREADY
    assert stopped.addresses.ip == ""
    assert {rig.node.container(one.id).state for one in (first, second)} == {ContainerState.EXITED}
    left = rig.left()
    assert {"processes", "network", "namespaces", "pod files", "pids"}.isdisjoint(left)


async def test_an_unknown_pod_is_stopped_already(rig: Rig) -> None:
    await stop_sandbox(rig.node, "f" * 64)


async def test_an_empty_id_is_refused(rig: Rig) -> None:
    with pytest.raises(InvalidArgument):
        await stop_sandbox(rig.node, "")


async def test_stopping_twice_detaches_once(rig: Rig) -> None:
    pod = await rig.pod()
    await stop_sandbox(rig.node, pod.id)
    await stop_sandbox(rig.node, pod.id)
    assert [call for call in rig.network.calls if call[0] == "detach"] == [("detach", pod.id)]


async def test_concurrent_stops_join(rig: Rig) -> None:
    pod = await rig.pod()
    await asyncio.gather(*(stop_sandbox(rig.node, pod.id) for _ in range(3)))
    assert len([call for call in rig.network.calls if call[0] == "detach"]) == 1


async def test_containers_are_killed_all_at_once(rig: Rig) -> None:
    pod = await rig.pod()
    for name in ("a", "b", "c"):
        await start_container(rig.node, (await rig.container(pod, container_config(name))).id)
    rig.driver.hang("terminate")
    stopping = asyncio.create_task(stop_sandbox(rig.node, pod.id))
    while rig.driver.calls.count("terminate") < 3:
        await asyncio.sleep(0)
    rig.driver.release("terminate")
    await stopping


async def test_no_container_can_be_created_afterwards(rig: Rig) -> None:
    pod = await rig.pod()
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(FailedPrecondition, match="not ready"):
        await rig.container(pod)


async def test_a_create_under_way_is_undone_by_the_stop(rig: Rig) -> None:
    pod = await rig.pod()
    hang = rig.host.hang("mount_overlay")
    creating = asyncio.create_task(
        create_container(rig.node, pod.id, container_config(), IMAGE_ID, IMAGE)
    )
    await hang.entered.wait()
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(FailedPrecondition, match="being stopped"):
        await creating
    assert rig.left().keys() <= {"disk"}
    assert rig.node.containers == {}


async def test_a_network_that_does_not_let_go_fails_the_stop_and_is_tried_again(rig: Rig) -> None:
    pod = await rig.pod()
    rig.network.fail("detach", Unavailable("cni DEL", "calico does not answer"))
    with pytest.raises(Unavailable, match=r"stop default/web.*calico"):
        await stop_sandbox(rig.node, pod.id)
    assert rig.node.sandbox(pod.id).state is SandboxState.NOTREADY
    assert rig.network.attached
    await stop_sandbox(rig.node, pod.id)
    assert not rig.network.attached


async def test_a_network_that_does_not_let_go_is_tried_again_periodically(rig: Rig) -> None:
    pod = await rig.pod()
    rig.network.fail("detach", times=2)
    with pytest.raises(Unavailable):
        await stop_sandbox(rig.node, pod.id)
    await finish_stops(rig.node)
    assert rig.network.attached
    await finish_stops(rig.node)
    assert not rig.network.attached
    assert not rig.node.sandbox(pod.id).network_attached


async def test_a_network_that_does_not_let_go_is_tried_again_at_the_next_start(rig: Rig) -> None:
    pod = await rig.pod()
    rig.network.fail("detach")
    with pytest.raises(Unavailable):
        await stop_sandbox(rig.node, pod.id)
    await rig.restart()
    assert not rig.network.attached
    assert not rig.node.sandbox(pod.id).network_attached


async def test_delete_gets_the_configuration_that_add_had(rig: Rig) -> None:
    pod = await rig.pod()
    rig.network.configuration = '{"cniVersion":"1.0.0","name":"other","plugins":[]}'
    seen = rig.network.attached[pod.id]
    rig.network.fail("detach")
    with pytest.raises(Unavailable):
        await stop_sandbox(rig.node, pod.id)
    assert rig.node.sandbox(pod.id).network_config == seen.configuration


async def test_a_container_that_cannot_be_killed_fails_the_stop_by_name(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    rig.driver.hang("terminate")
    rig.driver.release("terminate")
    rig.driver.container(container.id).deliver = lambda number: True  # type: ignore[method-assign]
    with pytest.raises(DeadlineExceeded, match="SIGKILL"):
        await stop_sandbox(rig.node, pod.id)
    assert rig.network.attached


@pytest.mark.parametrize(
    "step",
    ["kill_cgroup", "signal", "remove_cgroup", "destroy_namespaces", "destroy_pod_files"],
)
async def test_a_stop_that_failed_somewhere_is_finished_by_the_next(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    rig.host.fail(step)
    with pytest.raises(Unavailable):
        await stop_sandbox(rig.node, pod.id)
    await stop_sandbox(rig.node, pod.id)
    assert {"processes", "network", "namespaces", "pod files", "pids"}.isdisjoint(rig.left())


async def test_a_full_disk_keeps_no_pod_from_being_stopped(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object) -> None:
        raise ResourceExhausted("state database", "the disk is full")

    pod = await rig.pod()
    await start_container(rig.node, (await rig.container(pod)).id)
    with monkeypatch.context() as patch:
        patch.setattr(rig.node.db, "commit", full)
        await stop_sandbox(rig.node, pod.id)
    assert "the stop is not written down" in caplog.text
    assert not rig.network.attached
    assert "processes" not in rig.left()
    assert {"namespaces", "pod files"}.isdisjoint(rig.left())
