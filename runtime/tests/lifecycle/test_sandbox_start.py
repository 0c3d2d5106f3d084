"""RunPodSandbox: what exists afterwards, joins, repeats, and that failing anywhere leaves nothing."""

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidArgument,
    PodRuntimeError,
    Unavailable,
    Unimplemented,
)
from runtime.lifecycle.event_stream import EventKind
from runtime.lifecycle.sandbox_start import run_sandbox
from runtime.lifecycle.sandbox_stop import stop_sandbox
from runtime.records.list_filter import SandboxFilter
from runtime.records.sandbox import SandboxState
from runtime.records.security import IdMapping, NamespaceMode, UserNamespace
from runtime.tests.lifecycle.commit_gate import CommitGate
from runtime.tests.lifecycle.rig import Rig, pod_config

HOST_STEPS = ("create_namespaces", "start_pause", "make_pod_files", "read_below")


async def test_a_pod_is_ready_with_an_address_and_pinned_namespaces(rig: Rig) -> None:
    pod = await rig.pod()
    assert pod.state is SandboxState.READY
    assert pod.addresses.ip
    assert set(rig.host.namespaces) == {rig.node.paths.namespaces(pod.id)}
    files, shm = rig.host.pod_files[rig.node.paths.pod(pod.id)]
    assert files["hostname"] == f"{pod.id[:12]}\n"
    assert shm == 64 * 1024 * 1024


async def test_a_pod_on_the_hosts_network_gets_no_address_and_the_hosts_name(rig: Rig) -> None:
    pod = await rig.pod(pod_config(network=NamespaceMode.NODE))
    assert pod.addresses.ip == ""
    assert pod.hostname == "worker-1"
    assert not rig.network.attached
    assert not rig.host.namespaces[rig.node.paths.namespaces(pod.id)].uts


@pytest.mark.parametrize("mode", [NamespaceMode.CONTAINER, NamespaceMode.NODE])
async def test_no_pause_process_without_a_shared_pid_namespace(
    rig: Rig, mode: NamespaceMode
) -> None:
    pod = await rig.pod(pod_config(pid=mode))
    assert pod.pause_pid == 0
    assert rig.host.called("start_pause") == []


async def test_a_pod_on_the_hosts_ipc_has_no_shm_of_its_own(rig: Rig) -> None:
    pod = await rig.pod(pod_config(ipc=NamespaceMode.NODE))
    assert rig.host.pod_files[rig.node.paths.pod(pod.id)][1] == 0


async def test_nothing_is_visible_before_the_pod_is_ready(rig: Rig) -> None:
    hang = rig.network.hang("attach")
    running = asyncio.create_task(rig.pod())
    await hang.entered.wait()
    assert rig.node.list_sandboxes(SandboxFilter()) == ()
    hang.release.set()
    pod = await running
    assert rig.node.list_sandboxes(SandboxFilter()) == (pod,)


async def test_the_network_is_made_while_the_pause_process_starts(rig: Rig) -> None:
    network, pause = rig.network.hang("attach"), rig.host.hang("start_pause")
    running = asyncio.create_task(rig.pod())
    await network.entered.wait()
    await pause.entered.wait()
    network.release.set()
    pause.release.set()
    assert (await running).pause_pid


async def test_an_equal_request_joins_the_running_one(rig: Rig) -> None:
    hang = rig.network.hang("attach")
    first = asyncio.create_task(run_sandbox(rig.node, pod_config(), ""))
    await hang.entered.wait()
    second = asyncio.create_task(run_sandbox(rig.node, pod_config(), "crun"))
    await asyncio.sleep(0)
    hang.release.set()
    assert await first == await second
    assert len(rig.node.sandboxes) == 1


async def test_a_different_request_of_the_same_name_is_refused_while_the_first_runs(
    rig: Rig,
) -> None:
    hang = rig.network.hang("attach")
    first = asyncio.create_task(run_sandbox(rig.node, pod_config(), ""))
    await hang.entered.wait()
    with pytest.raises(AlreadyExists, match=r"differs in config\.hostname.*network"):
        await run_sandbox(rig.node, replace(pod_config(), hostname="other"), "")
    hang.release.set()
    await first


async def test_a_repeated_request_gets_the_same_pod(rig: Rig) -> None:
    pod = await rig.pod()
    assert (await rig.pod()).id == pod.id


async def test_a_repeated_request_that_differs_is_told_what_differs(rig: Rig) -> None:
    pod = await rig.pod()
    with pytest.raises(AlreadyExists, match=rf"{pod.id[:12]}.*ready.*config\.hostname"):
        await rig.pod(replace(pod_config(), hostname="other"))


async def test_a_stopped_pod_is_not_taken_for_a_running_one(rig: Rig) -> None:
    pod = await rig.pod()
    await stop_sandbox(rig.node, pod.id)
    with pytest.raises(AlreadyExists, match="notready"):
        await rig.pod()
    assert await rig.pod(pod_config(attempt=1)) != pod


async def test_a_client_that_goes_away_leaves_a_whole_pod_that_its_retry_finds(rig: Rig) -> None:
    hang = rig.network.hang("attach")
    first = asyncio.create_task(run_sandbox(rig.node, pod_config(), ""))
    await hang.entered.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    retry = asyncio.create_task(run_sandbox(rig.node, pod_config(), ""))
    await asyncio.sleep(0)
    hang.release.set()
    assert rig.node.sandbox(await retry).state is SandboxState.READY
    assert len(rig.host.called("create_namespaces")) == 1


@pytest.mark.parametrize("step", [*HOST_STEPS, "attach", "current_configuration"])
async def test_a_failing_step_leaves_nothing_and_the_retry_succeeds(rig: Rig, step: str) -> None:
    (rig.host if step in HOST_STEPS else rig.network).fail(step)
    with pytest.raises(Unavailable, match=r"run default/web|cni current_configuration"):
        await rig.pod()
    assert rig.left() == {}
    assert rig.node.db.load().intents == ()
    assert (await rig.pod()).state is SandboxState.READY


@pytest.mark.parametrize("step", [*HOST_STEPS, "attach"])
async def test_a_cancelled_step_leaves_nothing_and_the_retry_succeeds(rig: Rig, step: str) -> None:
    hang = rig.host.hang(step) if step in HOST_STEPS else rig.network.hang(step)
    running = asyncio.create_task(rig.pod())
    await hang.entered.wait()
    for operation in rig.node.operations.running():
        assert operation.task is not None
        operation.task.cancel()
    with pytest.raises(Unavailable, match="shutting down"):
        await running
    rig.release()
    assert rig.left() == {}
    assert rig.node.db.load().intents == ()
    assert (await rig.pod()).state is SandboxState.READY


@pytest.mark.parametrize("step", [*HOST_STEPS, "attach"])
async def test_a_daemon_killed_in_a_step_leaves_nothing_after_its_next_start(
    rig: Rig, step: str
) -> None:
    hang = rig.host.hang(step) if step in HOST_STEPS else rig.network.hang(step)
    running = asyncio.create_task(rig.pod())
    await hang.entered.wait()
    report = await rig.restart()
    with pytest.raises(PodRuntimeError):
        await running
    assert len(report.half_made) == 1
    assert rig.left() == {}
    assert rig.node.db.load().intents == ()
    assert (await rig.pod()).state is SandboxState.READY


@pytest.mark.parametrize(
    ("commit", "written", "survives"),
    [(0, False, False), (0, True, False), (1, False, False), (1, True, True)],
)
async def test_a_daemon_killed_at_a_commit_has_all_of_the_pod_or_nothing(
    rig: Rig, commit: int, written: bool, survives: bool
) -> None:
    gate = CommitGate(rig, commit, written=written)
    running = asyncio.create_task(rig.pod())
    await gate.entered.wait()
    await rig.restart()
    await asyncio.gather(running, return_exceptions=True)
    assert bool(rig.left()) is survives
    assert len(rig.node.sandboxes) == survives
    assert (await rig.pod()).state is SandboxState.READY
    assert len(rig.node.sandboxes) == 1


@pytest.mark.parametrize("commit", [0, 1])
@pytest.mark.parametrize("written", [False, True])
async def test_a_run_cancelled_at_a_commit_leaves_nothing(
    rig: Rig, commit: int, written: bool
) -> None:
    gate = CommitGate(rig, commit, written=written)
    running = asyncio.create_task(rig.pod())
    await gate.entered.wait()
    for operation in rig.node.operations.running():
        assert operation.task is not None
        operation.task.cancel()
    with pytest.raises(Unavailable):
        await running
    assert rig.left() == {}
    stored = rig.node.db.load()
    assert (stored.sandboxes, stored.intents) == ((), ())


async def test_a_failure_and_a_failed_clean_up_are_both_told_and_the_clean_up_is_kept(
    rig: Rig,
) -> None:
    rig.host.fail("make_pod_files", Unavailable("pod files", "there is no tmpfs"))
    rig.network.fail("detach", Unavailable("cni DEL", "does not answer"))
    with pytest.raises(Unavailable, match=r"no tmpfs.*clean-up failed.*does not answer") as caught:
        await rig.pod()
    assert isinstance(caught.value.__cause__, BaseExceptionGroup)
    (intent,) = rig.node.db.load().intents
    assert "does not answer" in intent.failed_steps[0]
    await rig.restart()
    assert rig.left() == {}
    assert rig.node.db.load().intents == ()


async def test_a_stage_that_takes_too_long_is_undone_and_named_with_its_timeline(
    rig: Rig,
) -> None:
    rig.node.settings = replace(rig.node.settings, network_seconds=0.0)
    rig.network.hang("attach")
    with pytest.raises(DeadlineExceeded, match=r"run default/web: network took.*namespaces \d+ ms"):
        await rig.pod()
    rig.release()
    assert rig.left() == {}


async def test_two_database_commits_make_a_pod(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = []
    commit = rig.node.db.commit

    async def counted(*changes: object) -> None:
        commits.append(changes)
        await commit(*changes)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.node.db, "commit", counted)
    await rig.pod()
    assert len(commits) == 2


async def test_a_user_namespace_is_refused_but_the_hosts_is_fine(rig: Rig) -> None:
    def with_userns(mode: NamespaceMode) -> object:
        config = pod_config()
        options = replace(config.linux.security.namespaces, userns=UserNamespace(mode=mode))
        security = replace(config.linux.security, namespaces=options)
        return replace(config, linux=replace(config.linux, security=security))

    with pytest.raises((Unimplemented, InvalidArgument)):
        await rig.pod(with_userns(NamespaceMode.POD))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        await rig.pod(with_userns(NamespaceMode.CONTAINER))  # type: ignore[arg-type]
    pod = await rig.pod(with_userns(NamespaceMode.NODE))  # type: ignore[arg-type]
    assert pod.state is SandboxState.READY


async def test_an_unknown_handler_is_refused_and_never_replaced(rig: Rig) -> None:
    with pytest.raises(InvalidArgument, match="gvisor"):
        await run_sandbox(rig.node, pod_config(), "gvisor")


async def test_listeners_hear_of_a_new_pod(rig: Rig) -> None:
    heard = rig.node.events.subscribe()
    pod = await rig.pod()
    events = aiter(heard)
    for kind in (EventKind.CREATED, EventKind.STARTED):
        event = await anext(events)
        assert (event.kind, event.object_id, event.sandbox) == (kind, pod.id, pod)


async def test_a_whole_user_namespace_request_is_told_to_be_unsupported(rig: Rig) -> None:
    mapping = (IdMapping(container_id=0, host_id=100000, length=65536),)
    userns = UserNamespace(mode=NamespaceMode.POD, uids=mapping, gids=mapping)
    config = pod_config()
    options = replace(config.linux.security.namespaces, userns=userns)
    security = replace(config.linux.security, namespaces=options)
    with pytest.raises(Unimplemented, match="hostUsers"):
        await rig.pod(replace(config, linux=replace(config.linux, security=security)))
    assert rig.left() == {}
