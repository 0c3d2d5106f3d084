"""Tests of the control fifo, on the fake monitor."""

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.drivers import monitor_control
from runtime.drivers.monitor_control import MonitorControl
from runtime.errors import DeadlineExceeded, FailedPrecondition, Internal
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


async def control_in(scene: FakePrograms) -> tuple[MonitorControl, Path]:
    request = scene.request()
    handle = await scene.driver.create(request)
    pid = handle.identity.monitor_pid
    return MonitorControl(request.id, request.bundle, pid), request.bundle


async def test_moved_log_is_opened_anew(scene: FakePrograms) -> None:
    control, bundle = await control_in(scene)
    (bundle / "log").rename(bundle / "log.1")
    await control.reopen_log(bundle / "log")
    assert (bundle / "log").exists()
    assert await scene.control_lines(bundle.name, 1) == b"2 0 0\n"


async def test_log_that_the_monitor_writes_to_is_left_alone(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, bundle = await control_in(scene)
    control._monitor_pid = os.getpid()
    with open(bundle / "log"):
        await control.reopen_log(bundle / "log")
    assert not (bundle / "control-lines").exists()


async def test_missing_directory_of_the_log_is_made_first(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, bundle = await control_in(scene)
    (bundle / "control-hangs").touch()
    monkeypatch.setattr(monitor_control, "_TAKEN_SECONDS", 0.05)
    with pytest.raises(DeadlineExceeded):
        await control.reopen_log(bundle / "sub" / "log")
    assert (bundle / "sub").is_dir()


async def test_link_in_place_of_the_log_is_refused(scene: FakePrograms) -> None:
    control, bundle = await control_in(scene)
    (bundle / "log").unlink()
    (bundle / "log").symlink_to("/etc/shadow")
    with pytest.raises(FailedPrecondition) as caught:
        await control.reopen_log(bundle / "log")
    assert caught.value.reason == "LogIsLink"


async def test_link_where_the_monitor_will_write_is_refused(scene: FakePrograms) -> None:
    control, bundle = await control_in(scene)
    (bundle / "log").unlink()
    (bundle / "log.tmp").symlink_to("/etc/shadow")
    with pytest.raises(FailedPrecondition) as caught:
        await control.reopen_log(bundle / "log")
    assert caught.value.reason == "LogIsLink"
    assert not (bundle / "control-lines").exists()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Give a process that holds a log's directory as conmon does."""
    directory = tmp_path / "logs"
    directory.mkdir()
    held = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    name = f"k8s-file:/proc/self/fd/{held}/0.log"
    process = subprocess.Popen(
        ["sh", "-c", "read forever", "conmon", "-l", name], stdin=subprocess.PIPE, pass_fds=[held]
    )
    os.close(held)
    # execve closes the pipe that Popen waits for before the new arguments are there.
    deadline = time.monotonic() + 30
    while name.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    yield process.pid, directory
    process.communicate()


@pytest.mark.parametrize("kind", ["link", "other", "gone"])
async def test_directory_that_is_not_the_monitors_any_more_is_refused(
    holder: tuple[int, Path], tmp_path: Path, kind: str
) -> None:
    pid, directory = holder
    control = MonitorControl("ab", tmp_path, monitor_pid=pid)
    directory.rename(tmp_path / "moved")
    if kind == "link":
        directory.symlink_to("/etc")
    elif kind == "other":
        directory.mkdir()
    with pytest.raises(FailedPrecondition) as caught:
        await control.reopen_log(directory / "0.log")
    assert caught.value.reason == "LogDirectoryReplaced"
    assert os.path.lexists(directory) == (kind != "gone")


async def test_directory_that_the_monitor_holds_is_fine(
    holder: tuple[int, Path], tmp_path: Path
) -> None:
    control = MonitorControl("ab", tmp_path, monitor_pid=holder[0])
    with pytest.raises(FailedPrecondition) as caught:
        await control.reopen_log(holder[1] / "0.log")
    assert caught.value.reason == "MonitorLost"  # this process has no fifo


async def test_sizes_are_sent_one_at_a_time(scene: FakePrograms) -> None:
    control, bundle = await control_in(scene)
    await control.resize(80, 24)
    await control.resize(81, 25)
    assert await scene.control_lines(bundle.name, 2) == b"1 24 80\n1 25 81\n"


async def test_attach_gives_a_packet_socket(scene: FakePrograms) -> None:
    control, _ = await control_in(scene)
    connection = control.attach()
    connection.setblocking(True)
    assert connection.recv(100) == b"\2hello"
    connection.close()


async def test_monitor_that_is_gone_is_told(tmp_path: Path) -> None:
    control = MonitorControl("ab", tmp_path, monitor_pid=0)
    with pytest.raises(FailedPrecondition) as caught:
        await control.resize(1, 1)
    assert caught.value.reason == "MonitorLost"
    os.mkfifo(tmp_path / "ctl")
    with pytest.raises(FailedPrecondition):
        await control.reopen_log(tmp_path / "log")
    with pytest.raises(FailedPrecondition):
        control.attach()


async def test_other_faults_of_the_fifo_are_ours(tmp_path: Path) -> None:
    (tmp_path / "ctl").symlink_to("/dev/null")
    with pytest.raises(Internal):
        await MonitorControl("ab", tmp_path, monitor_pid=0).resize(1, 1)
