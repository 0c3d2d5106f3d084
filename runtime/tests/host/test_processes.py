"""Processes by pid and start time, with real children."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from runtime.host.host import ProcessIdentity
from runtime.host.processes import identify, is_alive, open_pidfd, send_signal, wait_gone


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def identity(child: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = identify(child.pid)
    assert found is not None
    return found


async def test_end_of_a_process_is_seen_before_it_is_reaped(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    assert is_alive(process)
    assert send_signal(process, signal.SIGTERM)
    assert await wait_gone(process, 30.0)
    assert not is_alive(process)
    assert not send_signal(process, 0)
    assert await wait_gone(process, 0)


async def test_waiting_ends_at_the_timeout_and_leaves_no_descriptor(
    child: subprocess.Popen[bytes],
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert not await wait_gone(identity(child), 0.001)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_several_can_wait(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait_gone(process, None)) for _ in range(3)]
        await asyncio.sleep(0)
        child.kill()
    assert all(task.result() for task in tasks)


async def test_other_start_time_is_another_process(child: subprocess.Popen[bytes]) -> None:
    earlier = replace(identity(child), start_time=1)
    assert open_pidfd(earlier) is None
    assert not send_signal(earlier, signal.SIGKILL)
    assert await wait_gone(earlier, None)
    assert child.poll() is None


@pytest.mark.parametrize("pid", [0, -1, 0x7FFFFFFF])
def test_impossible_pid_is_nobody(pid: int) -> None:
    assert identify(pid) is None


def test_vanished_process_has_no_descriptor(child: subprocess.Popen[bytes]) -> None:
    process = identity(child)
    child.kill()
    child.wait()
    assert open_pidfd(process) is None


def test_bad_signal_number_is_an_error(child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(OSError, match="Invalid"):
        send_signal(identity(child), 1000)
