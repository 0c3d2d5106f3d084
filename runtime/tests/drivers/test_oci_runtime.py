"""The OCI driver on fake programs: the contract where it needs no cgroup, and what happens when programs misbehave."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.contracts.driver_contract import DriverContract
from runtime.drivers.container_files import ContainerNotes, write_notes
from runtime.drivers.driver import ContainerIdentity
from runtime.drivers.monitor import StartedMonitor
from runtime.drivers.oci_runtime import monitor_is_alive, open_both
from runtime.errors import DeadlineExceeded, Internal, InvalidArgument, NotFound
from runtime.host import cgroups
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


class TestOnFakePrograms(DriverContract):
    # The fake's processes have no cgroup of their own.
    test_update_and_statistics_work_while_it_lives = None  # type: ignore[assignment]
    test_processes_hold_the_first_one = None  # type: ignore[assignment]


def left_in(scene: FakePrograms) -> list[str]:
    return sorted(path.name for path in (scene.place / "oci").glob("*"))


async def test_failed_create_tells_the_runtimes_first_error(scene: FakePrograms) -> None:
    scene.fail("create", "executable file `/bin/none` not found in $PATH")
    with pytest.raises(InvalidArgument) as caught:
        await scene.driver.create(scene.request())
    assert caught.value.reason == "ProgramNotFound"
    assert left_in(scene) == []


async def test_hanging_create_is_killed_at_its_limit(tmp_path: Path) -> None:
    async with fake_programs(tmp_path, create_timeout_seconds=0.3) as scene:
        scene.hang("create")
        with pytest.raises(DeadlineExceeded) as caught:
            await scene.driver.create(scene.request())
        assert caught.value.reason == "CreateTimeout"
        assert left_in(scene) == []


async def test_cancelled_create_leaves_nothing(scene: FakePrograms) -> None:
    scene.hang("create")
    request = scene.request()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await scene.driver.create(request)
    assert left_in(scene) == []
    assert [path.name for path in request.bundle.iterdir()] == ["rootfs"]


async def test_monitor_that_refuses_tells_why(scene: FakePrograms) -> None:
    request = scene.request()
    (request.bundle / "monitor-refuses").touch()
    with pytest.raises(Internal) as caught:
        await scene.driver.create(request)
    assert caught.value.reason == "MonitorFailed"
    assert "no such option" in str(caught.value)


async def test_monitor_that_dies_without_an_answer_is_told(scene: FakePrograms) -> None:
    request = scene.request()
    (request.bundle / "monitor-dies").touch()
    with pytest.raises(Internal) as caught:
        await scene.driver.create(request)
    assert "container not started" in str(caught.value)


async def test_container_in_another_cgroup_than_asked_for_is_refused(scene: FakePrograms) -> None:
    request = scene.request()
    spec = {**request.spec, "linux": {"cgroupsPath": f"/pods/{request.id}"}}
    with pytest.raises(Internal) as caught:
        await scene.driver.create(replace(request, spec=spec))
    assert f"instead of /pods/{request.id}" in str(caught.value)
    assert left_in(scene) == []


async def test_container_that_ended_at_once_is_told() -> None:
    gone = StartedMonitor(monitor_pid=os.getpid(), container_pid=0)
    with pytest.raises(Internal) as caught:
        open_both(gone, "create")
    assert caught.value.reason == "EndedAtOnce"


async def test_undo_finishes_when_it_is_cancelled_itself(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.hang("create")
    request = scene.request()
    undone = asyncio.Event()
    undoing = asyncio.Event()

    async def slow_undo(id: str, bundle: Path) -> None:
        undoing.set()
        for _ in range(5):
            await asyncio.sleep(0)
        undone.set()

    monkeypatch.setattr(scene.driver, "delete_leftover", slow_undo)
    task = asyncio.get_running_loop().create_task(scene.driver.create(request))
    await asyncio.sleep(0.05)
    task.cancel()
    await undoing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone.is_set()
    monkeypatch.undo()


async def test_leftover_with_a_cgroup_has_it_emptied_and_removed(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    alive = [2, 1, 0]
    monkeypatch.setattr(cgroups, "kill_all", lambda *_: alive.pop(0))
    monkeypatch.setattr(cgroups, "remove", lambda _, path: calls.append(path))
    request = scene.request()
    write_notes(request.bundle, ContainerNotes(cgroup="/pods/a"))
    (request.bundle / "monitor.pid").write_text("no number")
    await scene.driver.delete_leftover(request.id, request.bundle)
    assert calls == ["/pods/a"]
    assert alive == []


async def test_monitor_is_alive_until_it_is_not(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    assert monitor_is_alive(handle.identity)
    os.kill(handle.identity.monitor_pid, 9)
    status = await handle.wait_with_timeout(30)
    assert status.monitor_lost
    assert status.exit_code == 137
    assert not monitor_is_alive(handle.identity)
    await handle.delete()
    await handle.close()


async def test_open_after_the_end_reads_the_exit_file(scene: FakePrograms) -> None:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.start()
    await scene.exit(request.id, 4)
    await handle.wait_with_timeout(30)
    await handle.close()
    again = await scene.driver.open(request.id, request.bundle, handle.identity)
    assert (await again.wait_with_timeout(30)).exit_code == 4
    await again.delete()
    await again.close()


async def test_open_without_any_process_or_record_is_not_found(scene: FakePrograms) -> None:
    request = scene.request()
    gone = ContainerIdentity(pid=0, pid_start_time=0)
    with pytest.raises(NotFound):
        await scene.driver.open(request.id, request.bundle, gone)


async def test_leftover_monitor_of_another_container_is_spared(scene: FakePrograms) -> None:
    handle = await scene.driver.create(scene.request())
    other = scene.request()
    (other.bundle / "monitor.pid").write_text(str(handle.identity.monitor_pid))
    await scene.driver.delete_leftover(other.id, other.bundle)
    assert monitor_is_alive(handle.identity)
    await handle.delete()
    await handle.close()


async def test_nonsense_from_the_runtimes_list_is_internal(scene: FakePrograms) -> None:
    (scene.place / "oci").mkdir()
    program = scene.place / "crun"
    good = program.read_text()
    program.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(Internal):
        await scene.driver.enumerate()
    program.write_text(good)


async def test_no_more_creates_and_starts_than_allowed_run_at_once(tmp_path: Path) -> None:
    async with fake_programs(tmp_path, max_parallel_starts=1) as scene:
        first = await scene.driver.create(scene.request())
        scene.hang("create")
        waiting, held = scene.request(), scene.request()
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(scene.driver.create(waiting))
            async with asyncio.timeout(30):
                while not (waiting.bundle / "config.json").exists():
                    await asyncio.sleep(0.001)
            second = group.create_task(scene.driver.create(held))
            starting = group.create_task(first.start())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await asyncio.shield(starting)
            assert not (held.bundle / "config.json").exists()
            scene.pass_again("create")
            hanging.cancel()
        await second
        assert starting.done()


async def test_limit_of_starts_is_at_least_one(tmp_path: Path) -> None:
    async with fake_programs(tmp_path, max_parallel_starts=0) as scene:
        await (await scene.driver.create(scene.request())).start()
