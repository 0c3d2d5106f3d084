"""RemoveContainer: nothing is left but the log."""

import asyncio
from pathlib import Path

import pytest

from runtime.errors import PodRuntimeError
from runtime.lifecycle.container_remove import remove_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.event_stream import EventKind
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config


async def test_a_running_container_is_killed_and_only_its_log_stays(
    rig: Rig, tmp_path: Path
) -> None:
    from dataclasses import replace

    pod = await rig.pod(replace(pod_config(), log_directory=str(tmp_path / "logs")))
    before = rig.left()
    container = await rig.container(pod, container_config(log_path="app/0.log"))
    await start_container(rig.node, container.id)
    await remove_container(rig.node, container.id)
    assert rig.left() == before
    assert Path(container.log_path).is_file()
    assert rig.node.db.load().containers == ()


async def test_unknown_and_removed_containers_are_removed_already(rig: Rig) -> None:
    await remove_container(rig.node, "f" * 64)
    container = await rig.container(await rig.pod())
    await asyncio.gather(*(remove_container(rig.node, container.id) for _ in range(3)))
    await remove_container(rig.node, container.id)
    assert rig.driver.calls.count("delete") == 1


async def test_the_name_can_be_used_again(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await remove_container(rig.node, container.id)
    assert (await rig.container(pod)).id != container.id


@pytest.mark.parametrize("step", ["delete", "unmount_below", "remove_tree", "remove_cgroup"])
async def test_a_removal_that_failed_is_finished_by_the_next(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    before = rig.left()
    container = await rig.container(pod)
    (rig.driver if step == "delete" else rig.host).fail(step)
    with pytest.raises(PodRuntimeError, match="remove default/web/app"):
        await remove_container(rig.node, container.id)
    assert container.id in rig.node.containers
    await remove_container(rig.node, container.id)
    assert rig.left() == before


async def test_listeners_hear_of_the_end(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    heard = rig.node.events.subscribe()
    await remove_container(rig.node, container.id)
    rig.node.events.close()
    assert [event.kind async for event in heard] == [EventKind.STOPPED, EventKind.DELETED]
