"""What a daemon knows after it was killed, after a reboot, and what it leaves on the node."""

import pytest

from runtime.errors import Unavailable
from runtime.lifecycle.container_remove import remove_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.sandbox_remove import remove_sandbox
from runtime.records.container import ContainerState
from runtime.records.sandbox import SandboxState
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config


async def test_running_and_created_containers_are_still_so_and_watched(rig: Rig) -> None:
    pod = await rig.pod()
    running = await rig.container(pod)
    created = await rig.container(pod, container_config("created"))
    await start_container(rig.node, running.id)
    report = await rig.restart()
    assert (report.sandboxes, report.containers, report.ended) == (1, 2, ())
    assert rig.node.sandbox(pod.id) == pod
    assert rig.node.container(running.id).state is ContainerState.RUNNING
    assert rig.node.container(created.id).state is ContainerState.CREATED
    await stop_container(rig.node, running.id, 10)
    assert rig.node.container(running.id).exit_code == 143


async def test_one_that_ended_meanwhile_has_code_and_time_at_the_first_request(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    await rig.kill()
    rig.driver.container(container.id).exit(7)
    report = await rig.restart()
    record = rig.node.container(container.id)
    assert report.ended == (container.id,)
    assert (record.state, record.exit_code) == (ContainerState.EXITED, 7)
    await remove_container(rig.node, container.id)


async def test_one_that_nobody_knows_any_more_is_lost_and_can_be_removed(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await rig.kill()
    rig.driver.containers.clear()
    await rig.restart()
    record = rig.node.container(container.id)
    assert (record.exit_code, record.reason) == (255, "MonitorLost")
    await remove_container(rig.node, container.id)


async def test_one_whose_driver_fails_is_unknown_and_never_taken_for_dead(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await rig.kill()
    rig.driver.fail("open", Unavailable("crun", "is not installed"))
    rig.release = lambda: None  # type: ignore[method-assign]
    await rig.restart()
    assert rig.node.container(container.id).state is ContainerState.UNKNOWN


async def test_a_repeated_request_after_a_restart_finds_the_pod(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await rig.restart()
    assert (await rig.pod()).id == pod.id
    assert (await rig.container(pod)).id == container.id


async def test_a_pod_whose_pause_process_died_is_not_ready(rig: Rig) -> None:
    pod = await rig.pod()
    await rig.kill()
    rig.host.end_process(pod.pause_pid)
    await rig.restart()
    assert rig.node.sandbox(pod.id).state is SandboxState.NOTREADY


async def test_the_death_of_a_pause_process_is_noticed_after_a_restart_too(rig: Rig) -> None:
    import asyncio

    pod = await rig.pod()
    await rig.restart()
    rig.host.end_process(pod.pause_pid)
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.node.sandbox(pod.id).state is SandboxState.NOTREADY


async def test_what_belongs_to_nothing_known_is_removed(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    before = rig.left()
    paths = rig.node.paths
    stray = "e" * 64
    for directory in (paths.pod(stray), paths.bundle(stray), paths.layer(stray)):
        directory.mkdir()
    rig.host.mounts.add(paths.rootfs(stray))
    await rig.images.acquire("sha256:b", stray)
    report = await rig.restart()
    assert report.leftovers.containers == (stray,)
    assert report.leftovers.sandboxes == (stray,)
    assert rig.left() == before
    assert rig.node.container(container.id).state is ContainerState.CREATED


async def test_a_container_that_only_the_runtime_knows_is_removed(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    from runtime.store.changes import drop_container

    await rig.node.db.commit(drop_container(container.id))
    report = await rig.restart()
    assert report.leftovers.containers == (container.id,)
    assert not rig.driver.containers


async def test_a_damaged_row_is_told_and_what_belongs_to_it_left_alone(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    from runtime.store.changes import Change

    change = Change("UPDATE containers SET record = ? WHERE id = ?", ("{}", container.id))
    await rig.node.db.commit(change)
    report = await rig.restart()
    assert [row.key for row in report.damaged] == [container.id]
    assert container.id in rig.driver.containers


async def test_after_a_reboot_nothing_runs_and_the_network_is_released(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await start_container(rig.node, container.id)
    report = await rig.restart(reboot=True)
    assert report.rebooted
    assert rig.node.sandbox(pod.id).state is SandboxState.NOTREADY
    record = rig.node.container(container.id)
    assert (record.state, record.exit_code) == (ContainerState.EXITED, 255)
    assert "rebooted" in record.message
    assert not rig.network.attached
    assert not rig.node.sandbox(pod.id).network_attached
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}
    assert not (await rig.restart()).rebooted


async def test_what_is_there_all_the_same_after_a_reboot_is_removed(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await start_container(rig.node, container.id)
    rig.boot_id = "boot-2"  # the kernel's objects stay, as on a machine that was restored
    assert (await rig.restart()).rebooted
    assert rig.node.container(container.id).state is ContainerState.EXITED
    assert not rig.driver.containers
    assert not rig.network.attached
    assert not rig.node.paths.namespaces(pod.id).is_dir()
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


@pytest.mark.parametrize("step", ["delete_leftover", "network"])
async def test_what_stays_after_a_reboot_is_removed_with_its_pod(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    await start_container(rig.node, container.id)
    await rig.kill()
    rig.boot_id = "boot-2"
    rig.supervisor = type(rig.supervisor)()
    rig.node = rig._new_node()
    if step == "network":
        rig.network.fail("detach")
    else:
        rig.driver.fail(step)
    await rig.start()
    assert (container.id in rig.driver.containers) is (step == "delete_leftover")
    await remove_sandbox(rig.node, pod.id)
    assert rig.left() == {}


async def test_a_half_made_pod_before_a_reboot_releases_its_network(rig: Rig) -> None:
    import asyncio

    hang = rig.host.hang("make_pod_files")
    running = asyncio.create_task(rig.pod())
    await hang.entered.wait()
    assert rig.network.attached
    await rig.restart(reboot=True)
    await asyncio.gather(running, return_exceptions=True)
    assert rig.left() == {}


async def test_two_hundred_containers_are_known_from_one_question_to_the_runtime(rig: Rig) -> None:
    for number in range(20):
        pod = await rig.pod(pod_config(f"pod{number}"))
        for name in range(10):
            container = await rig.container(pod, container_config(f"c{name}"))
            await start_container(rig.node, container.id)
    rig.driver.calls.clear()
    report = await rig.restart()
    assert report.containers == 200
    assert rig.driver.calls.count("enumerate") == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_any_number_of_restarts_changes_nothing(rig: Rig, times: int) -> None:
    pod = await rig.pod()
    await rig.container(pod)
    before, stored = rig.left(), rig.node.db.load()
    for _ in range(times):
        await rig.restart()
    assert rig.left() == before
    assert rig.node.db.load() == stored
