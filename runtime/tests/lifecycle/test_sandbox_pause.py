"""The pause process: found by its cgroup, killed by its identity, watched while it lives."""

from dataclasses import replace

import pytest

from runtime.errors import FailedPrecondition, Unavailable
from runtime.lifecycle.sandbox_pause import (
    end_pause,
    ensure_pause,
    has_pause,
    pause_alive,
    pause_cgroup,
)
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.security import NamespaceMode
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config


async def test_it_lives_in_a_cgroup_of_its_own_below_the_pods(rig: Rig) -> None:
    config = pod_config()
    config = replace(config, linux=replace(config.linux, cgroup_parent="/kubepods/pod1"))
    pod = await rig.pod(config)
    assert has_pause(pod)
    assert pause_cgroup(rig.node, pod) == f"/kubepods/pod1/{pod.id}"
    assert rig.host.processes[pod.pause_pid].cgroup == f"/kubepods/pod1/{pod.id}"
    assert pause_alive(rig.node, pod)


async def test_it_is_ended_also_when_its_pid_was_never_written_down(rig: Rig) -> None:
    pod = await rig.pod()
    await end_pause(rig.node, replace(pod, pause_pid=0))
    assert not pause_alive(rig.node, pod)
    await end_pause(rig.node, pod)


async def test_a_recycled_pid_is_left_alone(rig: Rig) -> None:
    pod = await rig.pod()
    rig.host.end_process(pod.pause_pid)
    other = rig.host.add_process(pid=pod.pause_pid)
    await end_pause(rig.node, pod)
    assert rig.host.is_alive(other)


async def test_one_that_does_not_end_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = await rig.pod()

    async def never(*_: object) -> bool:
        return False

    async def nothing(*_: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(rig.host, "kill_cgroup", nothing)
        patch.setattr(rig.host, "wait_gone", never)
        with pytest.raises(Unavailable, match="did not end"):
            await end_pause(rig.node, pod)


async def test_pods_without_one_have_nothing_to_end(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.NODE))
    await end_pause(rig.node, pod)
    assert not has_pause(pod)
    assert not rig.host.called("kill_cgroup")


async def test_an_end_that_cannot_be_written_down_is_shown_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import asyncio

    async def full(*_: object) -> None:
        raise Unavailable("state database", "the disk is full")

    pod = await rig.pod()
    with monkeypatch.context() as patch:
        patch.setattr(rig.node.db, "commit", full)
        rig.host.end_process(pod.pause_pid)
        for _ in range(20):
            await asyncio.sleep(0)
    assert rig.node.sandbox(pod.id).state == "notready"
    assert "could not be written down" in caplog.text


async def test_container_that_shares_starts_it_in_a_pod_run_without_one(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.CONTAINER))
    await rig.container(pod, container_config(pid=NamespaceMode.POD))
    first = rig.node.sandbox(pod.id)
    assert pause_alive(rig.node, first)
    await rig.container(pod, container_config("second", pid=NamespaceMode.POD))
    assert rig.node.sandbox(pod.id) == first
    await stop_sandbox(rig.node, pod.id)
    assert not pause_alive(rig.node, first)


async def test_late_one_that_fails_is_tried_again_and_leaves_nothing(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.CONTAINER))
    rig.host.fail("start_pause")
    with pytest.raises(Unavailable):
        await ensure_pause(rig.node, pod.id, "create x")
    assert rig.node.sandbox(pod.id).pause_requested
    started = await ensure_pause(rig.node, pod.id, "create x")
    assert pause_alive(rig.node, started)


async def test_stopped_pod_gets_none(rig: Rig) -> None:
    pod = await rig.pod(pod_config(pid=NamespaceMode.CONTAINER))
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(FailedPrecondition, match="stopped meanwhile"):
        await ensure_pause(rig.node, pod.id, "create x")
