"""Tests of the central reaper, with real children."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import AsyncIterator

import pytest

from runtime.drivers import reaper as reaper_module
from runtime.drivers.reaper import Reaper
from runtime.errors import Internal


@pytest.fixture
async def reaper() -> AsyncIterator[Reaper]:
    made = Reaper()
    made.start(asyncio.get_running_loop())
    yield made
    made.stop()


def spawn(*words: str) -> int:
    process = subprocess.Popen(words)
    process.returncode = 0  # the reaper collects it
    return process.pid


async def test_status_of_a_child_is_delivered(reaper: Reaper) -> None:
    pid = spawn("sh", "-c", "exit 3")
    first, second = reaper.expect(pid), reaper.expect(pid)
    assert first is second
    assert os.waitstatus_to_exitcode(await first) == 3


async def test_orphan_of_a_child_is_adopted(reaper: Reaper) -> None:
    read, write = os.pipe()
    with subprocess.Popen(
        ["sh", "-c", f"(exec sh -c 'echo $$ > /proc/self/fd/{write}; exit 4') & exit 0"],
        pass_fds=[write],
    ) as process:
        process.returncode = 0
    os.close(write)
    loop = asyncio.get_running_loop()
    with open(read) as pipe:
        orphan = int(await loop.run_in_executor(None, pipe.read))
    assert os.waitstatus_to_exitcode(await reaper.expect(orphan)) == 4


async def test_early_result_waits_to_be_claimed_once(reaper: Reaper) -> None:
    pid = spawn("true")
    while not reaper.statistics()["unclaimed"]:
        await asyncio.sleep(0.001)
    assert await reaper.expect(pid) == 0
    assert reaper.statistics() == {"awaited": 0, "unclaimed": 0, "reaped": 1}


async def test_early_result_of_an_older_process_is_not_mistaken(reaper: Reaper) -> None:
    pid = spawn("true")
    while not reaper.statistics()["unclaimed"]:
        await asyncio.sleep(0.001)
    future = reaper.expect(pid, since=reaper.mark())
    assert not future.done()
    reaper.abandon(pid)
    reaper.abandon(pid)
    assert future.cancelled()


async def test_unclaimed_results_are_bounded(
    reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper_module, "_UNCLAIMED_LIMIT", 2)
    for _ in range(4):
        spawn("true")
    while reaper.statistics()["reaped"] < 4:
        await asyncio.sleep(0.001)
    assert reaper.statistics()["unclaimed"] == 2


async def test_stopped_reaper_refuses_and_cancels() -> None:
    reaper = Reaper()
    reaper.stop()
    with pytest.raises(Internal):
        reaper.expect(1)
    reaper.start(asyncio.get_running_loop())
    future = reaper.expect(999_999_999)
    reaper.stop()
    assert future.cancelled()


async def test_failed_waitpid_is_no_silence(
    reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(pid: int, flags: int) -> tuple[int, int]:
        raise PermissionError(1, "no")

    monkeypatch.setattr(os, "waitpid", broken)
    with pytest.raises(PermissionError):
        reaper.reap()
    monkeypatch.undo()


async def test_orphans_are_adopted_only_while_they_are_collected() -> None:
    def adopts() -> bool:
        flag = ctypes.c_int(-1)
        ctypes.CDLL(None).prctl(37, ctypes.byref(flag), 0, 0, 0)  # PR_GET_CHILD_SUBREAPER
        return flag.value == 1

    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    assert adopts()
    reaper.stop()
    reaper.stop()
    assert not adopts()
