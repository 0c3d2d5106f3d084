"""Tests of the handle where the contract suite does not look, on fake programs."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.drivers import oci_container
from runtime.drivers.driver import ExecRequest
from runtime.drivers.oci_container import OciContainer
from runtime.errors import DeadlineExceeded, FailedPrecondition, Internal, Unimplemented
from runtime.host import cgroups
from runtime.records.resources import CgroupUsage, CpuUsage, LinuxResources, MemoryUsage
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


async def running(scene: FakePrograms) -> OciContainer:
    handle = await scene.driver.create(scene.request())
    await handle.start()
    return handle


async def test_update_sends_the_document_and_an_empty_one_is_not_sent(scene: FakePrograms) -> None:
    handle = await running(scene)
    await handle.update(LinuxResources())
    assert not (scene.place / "updated").exists()
    await handle.update(LinuxResources(cpu_shares=2))
    assert json.loads((scene.place / "updated").read_text()) == {"cpu": {"shares": 2}}


async def test_start_that_the_killed_daemon_had_begun_counts(scene: FakePrograms) -> None:
    request = scene.request()
    handle = await scene.driver.create(request)
    again = await scene.driver.open(request.id, request.bundle, handle.identity)
    await handle.start()
    await again.start()
    with pytest.raises(FailedPrecondition, match="already running"):
        await handle.start()
    await again.close()


async def test_attach_and_resize_reach_the_monitor(scene: FakePrograms) -> None:
    handle = await running(scene)
    (await handle.attach()).close()
    await handle.resize_terminal(80, 24)
    assert await scene.control_lines(handle.id, 1) == b"1 24 80\n"


async def test_container_without_log_has_nothing_to_reopen(scene: FakePrograms) -> None:
    request = replace(scene.request(), log_path="")
    handle = await scene.driver.create(request)
    await handle.reopen_log()
    assert not (request.bundle / "control-lines").exists()


async def test_what_oci_runtimes_cannot_do(scene: FakePrograms, tmp_path: Path) -> None:
    handle = await running(scene)
    with pytest.raises(Unimplemented):
        await handle.checkpoint(tmp_path)
    with pytest.raises(Unimplemented):
        await handle.modify({})


async def test_close_ends_pending_waits_as_already_closed(scene: FakePrograms) -> None:
    handle = await running(scene)
    waiting = asyncio.get_running_loop().create_task(handle.wait())
    await asyncio.sleep(0)
    await handle.close()
    with pytest.raises(FailedPrecondition) as caught:
        await waiting
    assert caught.value.reason == "AlreadyClosed"


async def test_cgroup_is_read_and_killed_below_its_own_path(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await running(scene)
    handle._parts.notes = replace(handle._parts.notes, cgroup="/pods/a")
    killed: list[str] = []
    usage = CgroupUsage(
        cpu=CpuUsage(timestamp_ns=1, usage_core_ns=2),
        memory=MemoryUsage(
            timestamp_ns=1,
            usage_bytes=3,
            working_set_bytes=0,
            rss_bytes=0,
            available_bytes=0,
            page_faults=0,
            major_page_faults=0,
        ),
        pids_current=4,
    )
    monkeypatch.setattr(cgroups, "read_usage", lambda *_: usage)
    monkeypatch.setattr(cgroups, "list_processes", lambda *_: {9, 8})
    monkeypatch.setattr(cgroups, "kill_all", lambda _, path: killed.append(path))
    monkeypatch.setattr(cgroups, "read_oom_kills", lambda *_: 1)
    counters = await handle.statistics()
    assert (counters["cpu_ns"], counters["memory_bytes"], counters["pids"]) == (2, 3, 4)
    assert await handle.processes() == (8, 9)
    await handle.terminate()
    assert (await handle.wait_with_timeout(30)).oom_killed
    assert killed == ["/pods/a"]


async def test_statistics_of_a_vanished_cgroup_need_a_running_container(
    scene: FakePrograms,
) -> None:
    handle = await running(scene)
    with pytest.raises(FailedPrecondition):
        await handle.statistics()
    assert await handle.processes() == ()


async def test_delete_that_is_refused_is_forced(scene: FakePrograms) -> None:
    handle = await running(scene)
    await handle.terminate()
    await handle.wait_with_timeout(30)
    scene.fail("delete", "some zombie")
    with pytest.raises(Internal):
        await handle.delete()
    scene.pass_again("delete")
    await handle.delete()
    assert not (scene.place / "oci" / handle.id).exists()


async def test_reopened_created_container_is_recognised(scene: FakePrograms) -> None:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.close()
    again = await scene.driver.open(request.id, request.bundle, handle.identity)
    await again.delete()
    await again.close()


async def test_delete_waits_for_the_death_of_a_created_one_only_so_long(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await scene.driver.create(scene.request())
    monkeypatch.setattr(oci_container, "_FORCED_END_SECONDS", 0.01)
    monkeypatch.setattr(handle, "_kill", lambda: None)
    with pytest.raises(DeadlineExceeded):
        await handle.delete()
    monkeypatch.undo()
    await handle.delete()


@pytest.mark.parametrize(("ended", "error"), [(True, FailedPrecondition), (False, Internal)])
async def test_wordless_exec_failure_is_explained_by_the_containers_end(
    scene: FakePrograms, *, ended: bool, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await running(scene)
    assert isinstance(handle, OciContainer)

    async def fail(*_: object) -> None:
        monkeypatch.setattr(handle._parts.init, "has_ended", lambda: ended)
        raise Internal("exec", "crun failed without a word")

    monkeypatch.setattr(oci_container, "run_to_end", fail)
    with pytest.raises(error):
        await handle.exec(ExecRequest(command=("true",), timeout_seconds=5))
    monkeypatch.undo()
