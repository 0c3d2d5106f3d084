"""Tests of how a container's end is told, case by case of the table in container_exit."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.drivers import container_exit
from runtime.drivers.container_exit import ExitSources, wait_for_exit
from runtime.drivers.driver import ExitStatus
from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.process_watch import ProcessWatch, open_process
from runtime.drivers.reaper import Reaper


class Case:
    """A container of two sleeping processes: its first one and its monitor."""

    def __init__(self, place: Path) -> None:
        self.reaper = Reaper()
        self.reaper.start(asyncio.get_running_loop())
        self.exits = ExitFiles(place / "exits")
        self.exits.start()
        since = self.reaper.mark()
        self.init, self.monitor = self.sleeper(), self.sleeper()
        self.killed = 0
        self.oom_kills = 0
        self.sources = ExitSources(
            id="ab",
            bundle=place,
            init=self.init,
            monitor=self.monitor,
            exit_files=self.exits,
            reaper=self.reaper,
            oom_kills=lambda: self.oom_kills,
            kill=self.kill,
            lost_grace_seconds=0.01,
            since=since,
        )

    def sleeper(self) -> ProcessWatch:
        process = subprocess.Popen(["sleep", "600"])
        process.returncode = 0
        watch = open_process(process.pid)
        assert watch is not None
        return watch

    def kill(self) -> None:
        self.killed += 1
        self.init.signal(signal.SIGKILL)

    def write(self, code: int) -> None:
        part = self.exits.directory / "ab.PARTLY"
        part.write_text(str(code))
        part.rename(self.exits.directory / "ab")

    async def told(self) -> ExitStatus:
        async with asyncio.timeout(30):
            return await wait_for_exit(self.sources)

    def end(self) -> None:
        for watch in (self.init, self.monitor):
            watch.signal(signal.SIGKILL)
            watch.close()
            with suppress(ChildProcessError):
                os.waitpid(watch.pid, 0)
        self.exits.stop()
        self.reaper.stop()


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    made = Case(tmp_path)
    yield made
    made.end()


async def test_exit_file_tells_code_and_time(case: Case) -> None:
    async with asyncio.TaskGroup() as group:
        told = group.create_task(case.told())
        await asyncio.sleep(0)
        case.write(3)
    status = told.result()
    assert (status.exit_code, status.monitor_lost, status.oom_killed) == (3, False, False)
    assert status.finished_at_ns == (case.exits.directory / "ab").stat().st_mtime_ns
    assert case.killed == 0


async def test_monitor_that_wrote_and_ended_is_not_lost(case: Case) -> None:
    case.monitor.signal(signal.SIGKILL)
    await case.monitor.ended
    case.exits.stop()  # the event is never told
    case.write(4)
    assert (await case.told()).exit_code == 4


async def test_lost_monitor_gets_the_container_killed_and_adopted(case: Case) -> None:
    case.monitor.signal(signal.SIGKILL)
    status = await case.told()
    assert (status.exit_code, status.monitor_lost, case.killed) == (137, True, 1)


async def test_both_dead_gives_the_adopted_status(case: Case) -> None:
    for watch in (case.init, case.monitor):
        watch.signal(signal.SIGTERM)
        await watch.ended
    assert (await case.told()).exit_code == 143
    assert case.killed == 0


async def test_code_comes_from_the_pidfd_when_the_process_was_not_adopted(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_exit, "_ADOPTION_SECONDS", 0.0)
    monkeypatch.setattr(ProcessWatch, "exit_status", lambda _: 5 << 8)
    for watch in (case.init, case.monitor):
        watch.signal(signal.SIGKILL)
        await watch.ended
    case.sources.since = (
        case.reaper.mark() + 60
    )  # as after a restart: an earlier result is not ours
    assert (await case.told()).exit_code == 5


async def test_nobody_who_can_tell_gives_255(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_exit, "_ADOPTION_SECONDS", 0.0)
    monkeypatch.setattr(ProcessWatch, "exit_status", lambda _: None)
    for watch in (case.init, case.monitor):
        watch.signal(signal.SIGKILL)
        await watch.ended
    case.sources.since = case.reaper.mark() + 60
    assert (await case.told()).exit_code == 255
    case.sources.init = None
    case.sources.monitor = None
    assert (await case.told()).exit_code == 255


async def test_stuck_monitor_is_killed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_exit, "STUCK_MONITOR_SECONDS", 0.01)
    case.init.signal(signal.SIGKILL)
    status = await case.told()
    assert (status.exit_code, status.monitor_lost) == (137, True)
    assert case.monitor.has_ended()


async def test_monitor_that_needs_a_moment_is_waited_for(case: Case) -> None:
    case.init.signal(signal.SIGKILL)
    await case.init.ended
    async with asyncio.TaskGroup() as group:
        told = group.create_task(case.told())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        case.write(137)
    assert not told.result().monitor_lost


@pytest.mark.parametrize(
    ("kills", "file", "oom"),
    [(2, False, True), (0, True, False), (-1, True, True), (-1, False, False)],
)
async def test_counter_decides_on_oom_and_the_file_where_it_is_gone(
    case: Case, *, kills: int, file: bool, oom: bool
) -> None:
    case.oom_kills = kills
    if file:
        (case.sources.bundle / "oom").touch()
    case.write(137)
    assert (await case.told()).oom_killed is oom


async def test_runtime_that_could_not_execute_the_program_is_quoted(case: Case) -> None:
    line = '{"level":"error","msg":"exec container process `/x`: Exec format error"}'
    (case.sources.bundle / "runtime.log").write_text(line)
    case.write(1)
    assert "Exec format error" in (await case.told()).message
    (case.exits.directory / "ab").write_text("0")
    assert (await case.told()).message == ""


REFUSED = "2026-11-25T19:59:28.05+00:00 stderr F exec /app: exec format error\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (REFUSED, "program /app is no executable"),
        (REFUSED + REFUSED, ""),
        (REFUSED + "x" * 5000, ""),
        (None, ""),
    ],
)
async def test_program_that_the_kernel_refused_is_told_from_the_log(
    case: Case, tmp_path: Path, text: str | None, cause: str
) -> None:
    log = tmp_path / "0.log"
    if text is not None:
        log.write_text(text)
    case.sources.log_path = str(log)
    case.write(1)
    message = (await case.told()).message
    assert message.startswith(cause)
    assert bool(message) is bool(cause)


@pytest.mark.parametrize("kind", ["link", "fifo"])
async def test_log_that_is_no_plain_file_is_not_read(case: Case, tmp_path: Path, kind: str) -> None:
    log = tmp_path / "0.log"
    if kind == "fifo":
        os.mkfifo(log)
    else:
        (tmp_path / "other").write_text(REFUSED)
        log.symlink_to(tmp_path / "other")
    case.sources.log_path = str(log)
    case.write(1)
    assert (await case.told()).message == ""
