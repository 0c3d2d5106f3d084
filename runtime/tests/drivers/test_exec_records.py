"""Tests of the records of running execs, on real processes without root."""

import asyncio
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.drivers import exec_records
from runtime.drivers.exec_records import ExecFiles, end_left_execs
from runtime.drivers.process_watch import start_time_of


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def left(bundle: Path, text: str, name: str = "exec-1") -> None:
    (bundle / f"{name}.pid").write_text(text)


def test_kept_file_holds_pid_and_start_time(tmp_path: Path) -> None:
    files = ExecFiles(tmp_path)
    files.path("json").touch()
    files.path("log").touch()
    files.path("pid").write_text(str(os.getpid()))
    assert files.read_pid() == os.getpid()
    files.keep(os.getpid())
    assert [path.suffix for path in tmp_path.iterdir()] == [".pid"]
    assert files.path("pid").read_text() == f"{os.getpid()} {start_time_of(os.getpid())}"
    assert files.read_pid() == os.getpid()
    files.remove()
    files.remove()
    assert not list(tmp_path.iterdir())


def test_nothing_is_kept_of_a_process_that_is_gone(tmp_path: Path) -> None:
    files = ExecFiles(tmp_path)
    assert files.read_pid() == 0
    files.path("pid").write_text("0")
    files.keep(0)
    assert not list(tmp_path.iterdir())


def test_names_differ(tmp_path: Path) -> None:
    assert ExecFiles(tmp_path).name != ExecFiles(tmp_path).name


async def test_recorded_process_is_killed(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    left(tmp_path, f"{sleeper.pid} {start_time_of(sleeper.pid)}")
    assert await end_left_execs(tmp_path, "") == 1
    assert await asyncio.to_thread(sleeper.wait) == -9
    assert not list(tmp_path.iterdir())


async def test_recorded_process_that_ends_late_is_waited_for(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_: object) -> None:
        asyncio.get_running_loop().call_later(0.2, sleeper.kill)

    monkeypatch.setattr(exec_records, "_kill_all", late)
    left(tmp_path, f"{sleeper.pid} {start_time_of(sleeper.pid)}")
    assert await end_left_execs(tmp_path, "") == 1
    assert sleeper.poll() == -9


async def test_children_of_a_recorded_process_are_killed(tmp_path: Path) -> None:
    script = "setsid sleep 600 & echo $!; wait"
    shell = subprocess.Popen(["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    assert shell.stdout is not None
    child = int(shell.stdout.readline())
    descriptor = os.pidfd_open(child)
    left(tmp_path, f"{shell.pid} {start_time_of(shell.pid)}")
    assert await end_left_execs(tmp_path, "") == 1
    assert await asyncio.to_thread(shell.wait) == -9
    ended, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], 30)
    assert ended
    os.close(descriptor)
    shell.stdout.close()


@pytest.mark.parametrize("text", ["{pid} 1", "{pid}", "{pid} x", "", "x"])
async def test_other_processes_are_spared(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", text: str
) -> None:
    left(tmp_path, text.format(pid=sleeper.pid))
    assert await end_left_execs(tmp_path, "/pods/c1") == 0
    assert sleeper.poll() is None
    assert not list(tmp_path.iterdir())


async def test_process_without_start_time_is_known_by_its_cgroup(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_records, "cgroup_of", lambda _: "/pods/c1")
    left(tmp_path, str(sleeper.pid))
    assert await end_left_execs(tmp_path, "/pods/c1") == 1
    assert await asyncio.to_thread(sleeper.wait) == -9


async def test_runtime_that_finishes_its_launch_names_a_process_to_kill(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_records, "cgroup_of", lambda _: "/pods/c1")
    document = tmp_path / "exec-1.json"
    document.touch()
    script = "echo; sleep 0.3; echo $1 >$2"
    words = [script, f"--process={document}", str(sleeper.pid), str(tmp_path / "exec-1.pid")]
    runtime = subprocess.Popen(["sh", "-c", *words], stdout=subprocess.PIPE)
    assert runtime.stdout is not None
    runtime.stdout.readline()
    assert await end_left_execs(tmp_path, "/pods/c1") == 1
    assert await asyncio.to_thread(runtime.wait) == 0
    assert await asyncio.to_thread(sleeper.wait) == -9
    runtime.stdout.close()
    assert not list(tmp_path.iterdir())


async def test_runtime_that_hangs_in_a_launch_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_records, "FINISH_SECONDS", 0.1)
    document = tmp_path / "exec-1.json"
    document.touch()
    waiting = "import sys; print(flush=True); sys.stdin.read()"
    runtime = subprocess.Popen(
        [sys.executable, "-c", waiting, f"--process={document}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert runtime.stdout is not None
    runtime.stdout.readline()  # its command line can be read from now on
    assert await end_left_execs(tmp_path, "") == 0
    assert await asyncio.to_thread(runtime.wait) == -9
    assert runtime.stdin is not None
    runtime.stdin.close()
    runtime.stdout.close()
    assert not list(tmp_path.iterdir())


async def test_bundle_without_execs_costs_no_search(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    assert await end_left_execs(tmp_path, "/pods/c1") == 0
    assert (tmp_path / "config.json").exists()
