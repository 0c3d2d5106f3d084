"""What every container driver promises, as one suite: it runs on the fake, on crun, on runc.

A driver under test comes as a `Scene`, which also knows how to make the program in a container end.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Protocol

import pytest

from runtime.drivers.driver import ContainerDriver, ContainerHandle, CreateRequest, ExecRequest
from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unimplemented,
)
from runtime.records.resources import LinuxResources

LIMIT = 60.0
"""Seconds that any single wait of the suite may take on a busy machine."""


class Scene(Protocol):
    """A driver and the test's hand inside its containers."""

    @property
    def driver(self) -> ContainerDriver:
        """The driver under test."""

    def request(self) -> CreateRequest:
        """Return a request for a new container that runs until `exit` and ends at SIGTERM with 0 or 143."""

    async def exit(self, id: str, code: int) -> None:
        """Make a running container's program end with a code."""

    async def exec_runs(self, handle: ContainerHandle) -> bool:
        """Tell whether an exec of `sleep 600` has begun in a container."""


async def running(scene: Scene) -> ContainerHandle:
    """Create and start a container."""
    handle = await scene.driver.create(scene.request())
    await handle.start()
    return handle


async def remove(handle: ContainerHandle) -> None:
    """End, delete and close."""
    await handle.terminate()
    await handle.wait_with_timeout(LIMIT)
    await handle.delete()
    await handle.close()


def command(*words: str, timeout_seconds: float | None = LIMIT) -> ExecRequest:
    """Return an exec request."""
    return ExecRequest(command=words, timeout_seconds=timeout_seconds)


async def settled(reached: Callable[[], bool]) -> None:
    """Wait until something is true that comes a moment after the call that brings it."""
    async with asyncio.timeout(LIMIT):
        while not reached():
            await asyncio.sleep(0.01)


class DriverContract:
    """Subclass it as Test... with a `scene` fixture."""

    async def test_probe_tells_a_version_of_a_usable_driver(self, scene: Scene) -> None:
        features = await scene.driver.probe()
        assert features.usable
        assert features.version
        assert not features.reason

    async def test_create_does_not_start(self, scene: Scene) -> None:
        handle = await scene.driver.create(scene.request())
        [summary] = await scene.driver.enumerate()
        assert (summary.id, summary.status) == (handle.id, "created")
        assert summary.pid == handle.identity.pid
        await remove(handle)

    async def test_exit_code_is_reported_to_every_waiter_and_again(self, scene: Scene) -> None:
        handle = await running(scene)
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            waiters = [group.create_task(handle.wait()) for _ in range(3)]
            await scene.exit(handle.id, 7)
        statuses = [waiter.result() for waiter in waiters]
        assert [status.exit_code for status in statuses] == [7, 7, 7]
        assert not statuses[0].monitor_lost
        assert not statuses[0].oom_killed
        assert await handle.wait_with_timeout(LIMIT) == statuses[0]
        await remove(handle)

    async def test_signal_that_kills_gives_128_plus_its_number(self, scene: Scene) -> None:
        handle = await running(scene)
        assert await handle.signal(signal.SIGKILL)
        assert (await handle.wait_with_timeout(LIMIT)).exit_code == 137
        assert not await handle.signal(signal.SIGKILL)
        await remove(handle)

    async def test_wait_with_timeout_says_that_the_limit_passed(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(DeadlineExceeded) as caught:
            await handle.wait_with_timeout(0.01)
        assert caught.value.reason == "WaitTimeout"
        await remove(handle)

    async def test_shutdown_and_terminate_succeed_when_already_stopped(self, scene: Scene) -> None:
        handle = await running(scene)
        await scene.exit(handle.id, 0)
        await handle.wait_with_timeout(LIMIT)
        await handle.shutdown(signal.SIGTERM)
        await handle.terminate()
        await remove(handle)

    async def test_start_happens_once(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(FailedPrecondition):
            await handle.start()
        await remove(handle)

    async def test_exec_returns_code_and_output(self, scene: Scene) -> None:
        handle = await running(scene)
        result = await handle.exec(command("echo", "hello"))
        assert (result.exit_code, result.stdout, result.stderr) == (0, b"hello\n", b"")
        assert (await handle.exec(command("sh", "-c", "exit 3"))).exit_code == 3
        await remove(handle)

    async def test_exec_output_is_cut_at_its_limit(self, scene: Scene) -> None:
        handle = await running(scene)
        words = ("echo", "0123456789")
        request = ExecRequest(command=words, timeout_seconds=LIMIT, output_limit_bytes=4)
        assert (await handle.exec(request)).stdout == b"0123"
        await remove(handle)

    async def test_exec_of_a_missing_program_is_an_invalid_argument(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(InvalidArgument) as caught:
            await handle.exec(command("/no/such/program"))
        assert "/no/such/program" in str(caught.value)
        await remove(handle)

    async def test_exec_that_runs_too_long_is_a_deadline_error(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(DeadlineExceeded) as caught:
            await handle.exec(command("sleep", "600", timeout_seconds=0.2))
        assert caught.value.reason == "ExecTimeout"
        await remove(handle)

    async def test_exec_needs_a_running_container(self, scene: Scene) -> None:
        handle = await running(scene)
        await scene.exit(handle.id, 0)
        await handle.wait_with_timeout(LIMIT)
        with pytest.raises(FailedPrecondition):
            await handle.exec(command("echo", "late"))
        await remove(handle)

    async def test_exec_ends_with_its_container(self, scene: Scene) -> None:
        handle = await running(scene)
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            words = command("sleep", "600", timeout_seconds=None)
            process = group.create_task(handle.exec(words))
            while not await scene.exec_runs(handle):
                await asyncio.sleep(0.01)
            await handle.terminate()
        assert process.result().exit_code == 137
        await remove(handle)

    async def test_pause_and_resume_show_in_the_list(self, scene: Scene) -> None:
        handle = await running(scene)
        await handle.pause()
        assert [entry.status for entry in await scene.driver.enumerate()] == ["paused"]
        await handle.resume()
        assert [entry.status for entry in await scene.driver.enumerate()] == ["running"]
        await remove(handle)

    async def test_terminate_ends_a_paused_container(self, scene: Scene) -> None:
        handle = await running(scene)
        await handle.pause()
        await handle.terminate()
        assert (await handle.wait_with_timeout(LIMIT)).exit_code == 137
        await remove(handle)

    async def test_update_and_statistics_work_while_it_lives(self, scene: Scene) -> None:
        handle = await running(scene)
        await handle.update(LinuxResources(memory_limit_bytes=64 << 20, cpu_shares=512))
        await handle.update(LinuxResources())
        counters = await handle.statistics()
        assert counters["timestamp_ns"] > 0
        assert counters["pids"] >= 1
        assert {"cpu_ns", "memory_bytes"} <= counters.keys()
        await remove(handle)

    async def test_processes_hold_the_first_one(self, scene: Scene) -> None:
        handle = await running(scene)
        assert handle.identity.pid in await handle.processes()
        await scene.exit(handle.id, 0)
        await handle.wait_with_timeout(LIMIT)
        assert await handle.processes() == ()
        await remove(handle)

    async def test_log_can_be_reopened_after_it_was_moved_away(self, scene: Scene) -> None:
        from pathlib import Path

        request = scene.request()
        handle = await scene.driver.create(request)
        await handle.start()
        log = Path(request.log_path)
        log.rename(log.with_suffix(".1"))
        await handle.reopen_log()
        assert log.is_file()
        await remove(handle)

    async def test_running_container_is_not_deleted(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(FailedPrecondition):
            await handle.delete()
        await remove(handle)

    async def test_created_container_can_be_deleted_and_delete_repeated(self, scene: Scene) -> None:
        handle = await scene.driver.create(scene.request())
        await handle.delete()
        await handle.delete()
        assert await scene.driver.enumerate() == []
        await handle.close()

    async def test_closed_handle_refuses_all_but_close(self, scene: Scene) -> None:
        request = scene.request()
        handle = await scene.driver.create(request)
        await handle.start()
        await handle.close()
        await handle.close()
        for refused in (handle.wait(), handle.start(), handle.terminate(), handle.delete()):
            with pytest.raises(FailedPrecondition) as caught:
                await refused
            assert caught.value.reason == "AlreadyClosed"
        again = await scene.driver.open(request.id, request.bundle, handle.identity)
        await remove(again)

    async def test_close_does_not_stop_and_open_takes_up(self, scene: Scene) -> None:
        request = scene.request()
        handle = await scene.driver.create(request)
        await handle.start()
        await handle.close()
        again = await scene.driver.open(request.id, request.bundle, handle.identity)
        assert (await again.exec(command("echo", "still here"))).stdout == b"still here\n"
        await scene.exit(request.id, 9)
        assert (await again.wait_with_timeout(LIMIT)).exit_code == 9
        await remove(again)

    async def test_open_of_an_unknown_container_is_not_found(self, scene: Scene) -> None:
        request = scene.request()
        known = await scene.driver.create(scene.request())
        from dataclasses import replace

        stale = replace(known.identity, pid_start_time=1, monitor_start_time=1)
        with pytest.raises(NotFound):
            await scene.driver.open(request.id, request.bundle, stale)
        await remove(known)

    async def test_leftover_is_removed_in_any_state(self, scene: Scene) -> None:
        request = scene.request()
        handle = await scene.driver.create(request)
        await handle.start()
        await handle.close()
        await scene.driver.delete_leftover(request.id, request.bundle)
        await scene.driver.delete_leftover(request.id, request.bundle)
        assert await scene.driver.enumerate() == []

    async def test_what_a_driver_cannot_do_is_unimplemented(self, scene: Scene) -> None:
        handle = await running(scene)
        with pytest.raises(Unimplemented):
            await handle.modify({})
        await remove(handle)
