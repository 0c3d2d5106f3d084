"""CreateContainer: who gets which container, and that failing anywhere leaves only the pod."""

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PodRuntimeError,
    Unimplemented,
)
from runtime.lifecycle.container_create import create_container
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.event_stream import EventKind
from runtime.records.container import ContainerState, Device, Mount
from runtime.records.list_filter import ContainerFilter
from runtime.tests.lifecycle.commit_gate import CommitGate
from runtime.tests.lifecycle.rig import IMAGE, IMAGE_ID, Rig, container_config

HOST_STEPS = ("mount_overlay", "read_below", "resolve_source", "find_devices")
CONFIG = container_config(
    mounts=(Mount(container_path="/data", host_path="/srv/data"),),
    devices=(Device(host_path="/dev/null", container_path="/dev/null"),),
)


def with_null(rig: Rig) -> None:
    from runtime.host.host import DeviceNode

    rig.host.device_nodes["/dev/null"] = DeviceNode(
        path="/dev/null", kind="c", major=1, minor=3, mode=0o666, uid=0, gid=0
    )


async def test_a_created_container_is_listed_and_knows_its_process(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    assert container.state is ContainerState.CREATED
    assert container.pid == rig.driver.container(container.id).identity.pid
    assert rig.node.list_containers(ContainerFilter(sandbox_id=pod.id)) == (container,)
    assert container.stop_signal == "SIGTERM"


async def test_an_unknown_pod_is_told(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await create_container(rig.node, "f" * 64, container_config(), IMAGE_ID, IMAGE)


async def test_an_image_that_is_not_here_is_told_and_nothing_is_left(rig: Rig) -> None:
    pod = await rig.pod()
    before = rig.left()
    rig.images.missing.add(IMAGE_ID)
    with pytest.raises(NotFound, match="create default/web/app: image sha256"):
        await rig.container(pod)
    assert rig.left() == before


async def test_nothing_is_visible_before_the_container_is_created(rig: Rig) -> None:
    pod = await rig.pod()
    rig.driver.hang("create")
    creating = asyncio.create_task(rig.container(pod))
    while "create" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    assert rig.node.list_containers(ContainerFilter()) == ()
    rig.driver.release("create")
    await creating


async def test_an_equal_request_joins_the_running_one(rig: Rig) -> None:
    pod = await rig.pod()
    hang = rig.host.hang("mount_overlay")
    both = [asyncio.create_task(rig.container(pod)) for _ in range(2)]
    await hang.entered.wait()
    hang.release.set()
    first, second = await asyncio.gather(*both)
    assert first.id == second.id
    assert len(rig.driver.requests) == 1


async def test_a_repeated_request_gets_the_same_container_also_when_it_runs(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    assert (await rig.container(pod)).id == container.id
    await start_container(rig.node, container.id)
    assert (await rig.container(pod)).id == container.id


async def test_a_repeated_request_that_differs_or_comes_too_late_is_refused(rig: Rig) -> None:
    pod = await rig.pod()
    container = await rig.container(pod)
    with pytest.raises(AlreadyExists, match=rf"{container.id[:12]}.*created.*config\.tty"):
        await rig.container(pod, replace(container_config(), tty=True))
    await stop_container(rig.node, container.id, 0)
    with pytest.raises(AlreadyExists, match="exited"):
        await rig.container(pod)


async def test_an_unknown_stop_signal_is_refused_before_anything_is_made(rig: Rig) -> None:
    pod = await rig.pod()
    before = rig.left()
    with pytest.raises(InvalidArgument, match="SIGNOTHING"):
        await rig.container(pod, container_config(stop_signal="SIGNOTHING"))
    assert rig.left() == before


@pytest.mark.parametrize("step", [*HOST_STEPS, "create", "acquire"])
async def test_a_failing_step_leaves_only_the_pod_and_the_retry_succeeds(
    rig: Rig, step: str
) -> None:
    pod = await rig.pod()
    with_null(rig)
    before = rig.left()
    if step in HOST_STEPS:
        rig.host.fail(step)
    elif step == "create":
        rig.driver.fail(step)
    else:
        rig.images.failures = 1
    with pytest.raises(PodRuntimeError, match="create default/web/app"):
        await rig.container(pod, CONFIG)
    assert rig.left() == before
    assert rig.node.db.load().intents == ()
    assert (await rig.container(pod, CONFIG)).state is ContainerState.CREATED


@pytest.mark.parametrize("step", [*HOST_STEPS, "create"])
async def test_a_cancelled_step_leaves_only_the_pod(rig: Rig, step: str) -> None:
    pod = await rig.pod()
    with_null(rig)
    before = rig.left()
    creating = asyncio.create_task(rig.container(pod, CONFIG))
    if step == "create":
        rig.driver.hang(step)
        while step not in rig.driver.calls:
            await asyncio.sleep(0.001)
    else:
        await rig.host.hang(step).entered.wait()
    for operation in rig.node.operations.running():
        assert operation.task is not None
        operation.task.cancel()
    with pytest.raises(PodRuntimeError, match="shutting down"):
        await creating
    rig.release()
    assert rig.left() == before
    assert rig.node.db.load().intents == ()


@pytest.mark.parametrize(
    ("commit", "written", "survives"),
    [(0, False, False), (0, True, False), (1, False, False), (1, True, True)],
)
async def test_a_daemon_killed_at_a_commit_has_all_of_the_container_or_nothing(
    rig: Rig, commit: int, written: bool, survives: bool
) -> None:
    pod = await rig.pod()
    before = rig.left()
    gate = CommitGate(rig, commit, written=written)
    creating = asyncio.create_task(rig.container(pod))
    await gate.entered.wait()
    await rig.restart()
    await asyncio.gather(creating, return_exceptions=True)
    assert (rig.left() != before) is survives
    assert len(rig.node.containers) == survives
    assert (await rig.container(pod)).state is ContainerState.CREATED
    assert len(rig.node.containers) == 1


@pytest.mark.parametrize("step", [*HOST_STEPS, "create"])
async def test_a_daemon_killed_in_a_step_leaves_only_the_pod_after_its_next_start(
    rig: Rig, step: str
) -> None:
    pod = await rig.pod()
    with_null(rig)
    before = rig.left()
    creating = asyncio.create_task(rig.container(pod, CONFIG))
    if step == "create":
        rig.driver.hang(step)
        while step not in rig.driver.calls:
            await asyncio.sleep(0.001)
    else:
        await rig.host.hang(step).entered.wait()
    report = await rig.restart()
    with pytest.raises(PodRuntimeError):
        await creating
    assert len(report.half_made) == 1
    assert rig.left() == before
    assert rig.node.db.load().intents == ()
    assert (await rig.container(rig.node.sandbox(pod.id), CONFIG)).state is ContainerState.CREATED


async def test_a_failed_clean_up_is_kept_and_done_when_the_pod_is_stopped(rig: Rig) -> None:
    pod = await rig.pod()
    rig.driver.fail("create")
    rig.images.release_failures = 1
    with pytest.raises(PodRuntimeError, match="clean-up failed"):
        await rig.container(pod)
    assert rig.images.held
    assert rig.node.pending
    from runtime.lifecycle.sandbox_stop import stop_sandbox

    await stop_sandbox(rig.node, pod.id)
    assert not rig.images.held
    assert not rig.node.pending
    assert rig.node.db.load().intents == ()


async def test_a_pod_that_is_not_ready_takes_no_container(rig: Rig) -> None:
    pod = await rig.pod()
    rig.host.end_process(pod.pause_pid)
    while rig.node.sandbox(pod.id).state == "ready":
        await asyncio.sleep(0)
    with pytest.raises(FailedPrecondition):
        await rig.container(pod)


async def test_listeners_hear_of_a_new_container(rig: Rig) -> None:
    pod = await rig.pod()
    heard = rig.node.events.subscribe()
    container = await rig.container(pod)
    event = await anext(aiter(heard))
    assert (event.kind, event.object_id) == (EventKind.CREATED, container.id)
    assert event.containers == (container,)


async def test_cdi_devices_are_refused_by_name_and_not_left_out(rig: Rig) -> None:
    pod = await rig.pod()
    config = container_config(cdi_devices=("vendor.com/gpu=0",))
    with pytest.raises(Unimplemented, match=r"CDI_devices \(here vendor.com/gpu=0\)"):
        await create_container(rig.node, pod.id, config, IMAGE_ID, IMAGE)
    assert rig.node.containers == {}
