"""Tests of ending all monitor processes of a container."""

import subprocess
import time
from pathlib import Path

from runtime.drivers.monitor_removal import end_monitors_of
from runtime.drivers.process_watch import start_time_of


def monitor(id: str) -> "subprocess.Popen[bytes]":
    """Start a process with a monitor's command line: `sh` takes `-c ID`, and the rest is its program."""
    return begun("sh", "-s", "-c", id)


def begun(*words: str) -> "subprocess.Popen[bytes]":
    """Start a process whose command line can be read: Popen returns a moment before that."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while words[-1].encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0"):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return process


def reap(process: "subprocess.Popen[bytes]") -> int:
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(30)


async def test_children_with_the_containers_id_are_ended(tmp_path: Path) -> None:
    mine, other = monitor("ab"), monitor("cd")
    await end_monitors_of("ab", tmp_path)
    assert reap(mine) == -9
    assert other.poll() is None
    assert reap(other) == 0


async def test_pid_of_another_process_in_the_file_is_spared(tmp_path: Path) -> None:
    other = monitor("cd")
    (tmp_path / "monitor.pid").write_text(str(other.pid))
    await end_monitors_of("ab", tmp_path)
    assert start_time_of(other.pid) > 0
    assert reap(other) == 0


async def test_nothing_to_end_is_no_error(tmp_path: Path) -> None:
    for text in ("", "nonsense", "999999999"):
        (tmp_path / "monitor.pid").write_text(text)
        await end_monitors_of("ab", tmp_path)


async def test_runtime_that_still_creates_the_container_is_ended(tmp_path: Path) -> None:
    words = ["sh", "-s", "--", "create", "--bundle", "/b"]
    mine, other = begun(*words, "ab"), begun(*words, "cd")
    await end_monitors_of("ab", tmp_path)
    assert reap(mine) == -9
    assert reap(other) == 0
