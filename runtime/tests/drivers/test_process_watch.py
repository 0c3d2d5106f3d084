"""Tests of holding on to a process."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from runtime.drivers.process_watch import descendants_of, open_process, start_time_of


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


async def test_end_is_seen_and_signals_stop(sleeper: "subprocess.Popen[bytes]") -> None:
    watch = open_process(sleeper.pid)
    assert watch is not None
    assert watch.start_time == start_time_of(sleeper.pid) > 0
    assert not watch.has_ended()
    assert watch.signal(signal.SIGKILL)
    await watch.ended
    assert watch.has_ended()
    assert not watch.signal(signal.SIGKILL)
    watch.close()
    watch.close()


async def test_gone_and_mistaken_processes_are_not_opened(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    assert open_process(0) is None
    assert open_process(sleeper.pid, start_time=1) is None
    sleeper.kill()
    sleeper.wait()
    assert open_process(sleeper.pid) is None
    assert start_time_of(sleeper.pid) == 0


async def test_end_is_noticed_without_the_loop(sleeper: "subprocess.Popen[bytes]") -> None:
    watch = open_process(sleeper.pid)
    assert watch is not None
    sleeper.kill()
    sleeper.wait()
    assert not watch.signal(signal.SIGTERM)
    assert watch.has_ended()
    watch.close()


async def test_close_cancels_who_waits(sleeper: "subprocess.Popen[bytes]") -> None:
    watch = open_process(sleeper.pid)
    assert watch is not None
    watch.close()
    assert watch.ended.cancelled()
    assert not watch.signal(signal.SIGKILL)


async def test_exit_status_of_a_reaped_process_or_nothing(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    watch = open_process(sleeper.pid)
    assert watch is not None
    assert watch.exit_status() is None  # it runs
    sleeper.kill()
    sleeper.wait()
    assert watch.exit_status() in (signal.SIGKILL, None)  # None before Linux 6.15
    watch.close()


async def test_old_kernel_gives_no_exit_status(
    sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(25, "ENOTTY")

    watch = open_process(sleeper.pid)
    assert watch is not None
    monkeypatch.setattr(fcntl, "ioctl", refused)
    assert watch.exit_status() is None
    watch.close()


async def test_descendants_are_found_children_first() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sh -c 'sleep 600 & echo $!; wait' & wait"], stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdout is not None
        grandchild = int(await asyncio.to_thread(shell.stdout.readline))
        found = descendants_of(shell.pid)
        assert found[-1] == grandchild
        assert len(found) == 2
        # Parents first: one whose child is killed ends by itself, and its number may be gone by then.
        for pid in (shell.pid, *found):
            os.kill(pid, signal.SIGKILL)
    assert descendants_of(shell.pid) == ()
