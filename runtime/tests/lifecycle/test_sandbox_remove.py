"""RemovePodSandbox: nothing is left, running or not, once or twice."""

import asyncio

import pytest

from runtime.errors import Unavailable
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.sandbox_remove import remove_sandbox
from runtime.records.list_filter import ContainerFilter, SandboxFilter
from runtime.tests.lifecycle.rig import Rig, container_config


async def test_a_running_pod_is_removed_with_its_containers(rig: Rig) -> None:
    pod = await rig.pod()
    running = await rig.container(pod)
    await rig.container(pod, container_config("created"))
    await start_container(rig.node, running.id)
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}
    assert rig.node.list_sandboxes(SandboxFilter()) == ()
    assert rig.node.list_containers(ContainerFilter()) == ()
    stored = rig.node.db.load()
    assert (stored.sandboxes, stored.containers, stored.intents) == ((), (), ())


async def test_an_unknown_pod_is_removed_already(rig: Rig) -> None:
    await remove_sandbox(rig.node, "f" * 64)


async def test_twice_and_at_the_same_time_is_fine(rig: Rig) -> None:
    pod = await rig.pod()
    await asyncio.gather(*(remove_sandbox(rig.node, pod.id) for _ in range(3)))
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


async def test_the_name_can_be_used_again(rig: Rig) -> None:
    pod = await rig.pod()
    await remove_sandbox(rig.node, pod.id)
    assert (await rig.pod()).id != pod.id


async def test_a_pod_is_not_forgotten_before_its_network_let_go(rig: Rig) -> None:
    pod = await rig.pod()
    rig.network.fail("detach")
    with pytest.raises(Unavailable):
        await remove_sandbox(rig.node, pod.id)
    assert rig.node.sandbox(pod.id).network_attached
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


@pytest.mark.parametrize("step", ["remove_tree", "unmount_below", "destroy_namespaces"])
async def test_a_removal_that_failed_goes_on_where_it_was(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    await rig.container(pod)
    rig.host.fail(step)
    with pytest.raises(Unavailable):
        await remove_sandbox(rig.node, pod.id)
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


@pytest.mark.parametrize("step", ["remove_tree", "unmount_below", "destroy_namespaces", "signal"])
async def test_a_daemon_killed_in_a_removal_lets_the_next_finish_it(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    await rig.container(pod)
    hang = rig.host.hang(step)
    removing = asyncio.create_task(remove_sandbox(rig.node, pod.id))
    await hang.entered.wait()
    await rig.restart()
    with pytest.raises(Unavailable):
        await removing
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


async def test_listeners_hear_of_the_end(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    heard = rig.node.events.subscribe()
    await remove_sandbox(rig.node, pod.id)
    rig.node.events.close()
    told = [(event.kind, event.object_id) async for event in heard]
    assert told == [
        (EventKind.STOPPED, pod.id),
        (EventKind.STOPPED, container.id),
        (EventKind.DELETED, container.id),
        (EventKind.DELETED, pod.id),
    ]
