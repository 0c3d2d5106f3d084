"""Tests of starting programs, with real ones."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from runtime.drivers import program as program_module
from runtime.drivers.program import ProgramResult, ProgramRunner, end_group, exit_code_of
from runtime.drivers.reaper import Reaper
from runtime.errors import Unavailable


@pytest.fixture
async def runner() -> AsyncIterator[ProgramRunner]:
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    yield ProgramRunner(reaper)
    reaper.stop()


async def run(runner: ProgramRunner, *words: str, seconds: float = 30) -> ProgramResult:
    return await runner.run(words, timeout_seconds=seconds, subject="test")


async def test_code_and_both_outputs_are_told(runner: ProgramRunner) -> None:
    result = await run(runner, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert result == ProgramResult(exit_code=3, stdout=b"out\n", stderr=b"err\n")
    assert result.last_words() == ("err",)


async def test_signal_gives_128_plus_its_number(runner: ProgramRunner) -> None:
    assert (await run(runner, "sh", "-c", "kill -9 $$")).exit_code == 137
    assert exit_code_of(2 << 8) == 2


async def test_input_is_given_whatever_its_size(runner: ProgramRunner) -> None:
    text = b"x" * 300_000
    result = await runner.run(["wc", "-c"], stdin=text, timeout_seconds=30, subject="test")
    assert result.stdout.strip() == b"300000"


async def test_program_without_input_reads_the_null_device(runner: ProgramRunner) -> None:
    assert (await run(runner, "cat")).stdout == b""


async def test_output_is_cut_at_its_limit(runner: ProgramRunner) -> None:
    words = ["sh", "-c", "yes | head -c 100000"]
    result = await runner.run(words, timeout_seconds=30, output_limit=10, subject="test")
    assert result.stdout == b"y\n" * 5


async def test_deadline_ends_the_whole_group(
    runner: ProgramRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_module, "DRAIN_SECONDS", 0.01)
    monkeypatch.setattr(program_module, "end_group", partial(end_group, grace_seconds=30.0))
    script = "echo begun; sleep 600 & sleep 600"
    for seconds in (0.1, 3.0, 30.0):  # until it has begun within its time
        result = await run(runner, "sh", "-c", script, seconds=seconds)
        if result.stdout:
            break
    assert result.timed_out
    assert result.exit_code == 143
    assert result.stdout == b"begun\n"


async def test_program_that_ignores_sigterm_is_killed(runner: ProgramRunner) -> None:
    read, write = os.pipe()
    script = "trap '' TERM; echo; while :; do sleep 1; done"
    program = await runner.launch(["sh", "-c", script], subject="test", stdout=write)
    await asyncio.to_thread(os.read, read, 1)
    assert await end_group(program, grace_seconds=0.05) == 137
    assert not program.kill()
    os.close(read)
    os.close(write)


async def test_cancelled_run_kills_at_once(runner: ProgramRunner) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(runner, "sleep", "600")


async def test_background_child_does_not_hold_the_result(
    runner: ProgramRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_module, "DRAIN_SECONDS", 0.01)
    result = await run(runner, "sh", "-c", "sleep 600 & echo $!")
    assert not result.timed_out
    os.kill(int(result.stdout), signal.SIGKILL)


async def test_environment_is_built_and_descriptors_stay_here(
    runner: ProgramRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    kept = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(kept, True)
    result = await run(runner, "sh", "-c", "env; ls /proc/self/fd; grep SigIgn /proc/self/status")
    os.close(kept)
    text = result.stdout.decode()
    assert "SECRET" not in text
    assert "PATH=/usr/local/sbin" in text
    assert f"\n{kept}\n" not in text.partition("SigIgn")[0].split("PWD")[-1] or kept == 3
    ignored = int(text.rsplit(":", 1)[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


async def test_named_descriptors_and_directory_are_passed(
    runner: ProgramRunner, tmp_path: Path
) -> None:
    read, write = os.pipe()
    result = await runner.run(
        ["sh", "-c", f"echo passed > /proc/self/fd/{write}; pwd"],
        timeout_seconds=30,
        subject="test",
        cwd=tmp_path,
        pass_fds=(write,),
        env={"PATH": "/bin:/usr/bin"},
    )
    os.close(write)
    assert result.stdout.decode().strip() == str(tmp_path)
    assert os.read(read, 100) == b"passed\n"
    os.close(read)


@pytest.mark.parametrize(
    ("words", "cwd", "reason", "cause"),
    [
        (["no-such-program"], None, "ProgramMissing", "is not installed on system"),
        (["/etc/hostname"], None, "ProgramUnusable", "cannot be executed"),
        (["true"], Path("/no/such/place"), "Unavailable", "/no/such/place cannot be entered"),
        (["true", "a\0b"], None, "Unavailable", "NUL"),
    ],
)
async def test_program_that_cannot_start_is_named(
    runner: ProgramRunner, words: list[str], cwd: Path | None, reason: str, cause: str
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Unavailable) as caught:
        await runner.run(words, timeout_seconds=1, subject="do work", cwd=cwd)
    assert caught.value.reason == reason
    assert cause in str(caught.value)
    assert str(caught.value).startswith("do work: ")
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_many_runs_at_once_leave_no_descriptor(runner: ProgramRunner) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run(runner, "sh", "-c", f"exit {n}")) for n in range(30)]
    assert [task.result().exit_code for task in runs] == list(range(30))
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_launched_program_can_be_awaited_by_several(runner: ProgramRunner) -> None:
    program = await runner.launch(["sh", "-c", "exit 9"], subject="test")
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(program.wait()) for _ in range(2)]
    assert [wait.result() for wait in waits] == [9, 9]
    assert program.has_ended


async def test_spawner_starts_it_elsewhere(runner: ProgramRunner) -> None:
    class Elsewhere:
        used = False

        async def spawn(
            self, start: Callable[[], "subprocess.Popen[bytes]"]
        ) -> "subprocess.Popen[bytes]":
            self.used = True
            return await asyncio.to_thread(start)

    spawner = Elsewhere()
    program = await runner.launch([sys.executable, "-c", ""], subject="test", spawner=spawner)
    assert await program.wait() == 0
    assert spawner.used
