"""Tests of starting further processes, on fake programs."""

import asyncio
import json
import os
import select
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.drivers import exec_launch
from runtime.drivers.exec_launch import ExecCommand, ExecLauncher, kill_tree
from runtime.drivers.oci_command import OciCommand
from runtime.drivers.process_watch import start_time_of
from runtime.errors import Internal, InvalidArgument
from runtime.tests.fakes.fake_programs import FakePrograms, fake_programs


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[FakePrograms]:
    async with fake_programs(tmp_path) as made:
        yield made


async def launcher_in(scene: FakePrograms) -> ExecLauncher:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.start()
    command = OciCommand(scene.services.programs, scene.settings)
    return ExecLauncher(request.id, request.bundle, scene.services, command)


async def test_process_is_ours_and_accounted_until_reaped(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    started = await launcher.launch(ExecCommand(words=("sleep", "600")))
    assert launcher.running() == (started.pid,)
    launcher.kill_all()
    assert await started.wait() == 137
    assert await started.wait() == 137
    await asyncio.sleep(0)
    assert launcher.running() == ()
    started.kill()
    launcher.kill_all()


async def test_runtimes_error_is_told(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    with pytest.raises(InvalidArgument) as caught:
        await launcher.launch(ExecCommand(words=("/none",)))
    assert caught.value.subject == launcher.subject


async def test_runtime_without_a_pid_file_is_a_fault(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    (scene.place / "no-pid-file").touch()
    with pytest.raises(Internal) as caught:
        await launcher.launch(ExecCommand(words=("true",)))
    assert "no pid file" in str(caught.value)


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_launch, "FINISH_SECONDS", 0.2)


@pytest.mark.usefixtures("short_patience")
async def test_cancelled_launch_ends_a_runtime_that_hangs(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    scene.hang("exec")
    pid = scene.place / "oci"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await launcher.launch(ExecCommand(words=("true",)))
    assert pid.is_dir()
    assert launcher.running() == ()


@pytest.mark.parametrize("delay", [0.5, 600])
async def test_process_without_pid_file_dies_with_a_cancelled_launch(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    if delay > 1:  # a runtime that never finishes
        monkeypatch.setattr(exec_launch, "FINISH_SECONDS", 0.2)
    launcher = await launcher_in(scene)
    (scene.place / "late-pid-file").write_text(str(delay))
    note = scene.place / "note"
    words = ("sh", "-c", f"echo $$ >{note}.part; mv {note}.part {note}; exec sleep 600")
    task = asyncio.get_running_loop().create_task(launcher.launch(ExecCommand(words=words)))
    async with asyncio.timeout(30):
        while not note.exists():
            await asyncio.sleep(0.001)
    descriptor = os.pidfd_open(int(note.read_text()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ended, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], 30)
    os.close(descriptor)
    assert ended
    assert launcher.running() == ()


@pytest.mark.usefixtures("short_patience")
async def test_pid_written_by_a_cancelled_launch_is_killed(
    scene: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = await launcher_in(scene)
    scene.hang("exec")
    sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
    ended = scene.services.reaper.expect(sleeper.pid)
    sleeper.returncode = 0
    bundle = scene.place / f"{1:064x}"
    task = asyncio.get_running_loop().create_task(launcher.launch(ExecCommand(words=("true",))))
    async with asyncio.timeout(30):
        while not (files := list(bundle.glob("exec-*.json"))):
            await asyncio.sleep(0.001)
    files[0].with_suffix(".pid").write_text(str(sleeper.pid))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.waitstatus_to_exitcode(await ended) == -9
    assert not list(bundle.glob("exec-*"))


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
async def test_damaged_bundle_is_told(scene: FakePrograms, text: str | None) -> None:
    launcher = await launcher_in(scene)
    config = scene.place / f"{1:064x}" / "config.json"
    config.unlink()
    if text is not None:
        config.write_text(text)
    with pytest.raises(Internal) as caught:
        await launcher.launch(ExecCommand(words=("true",)))
    assert caught.value.reason == "BundleDamaged"


async def test_process_document_is_the_containers_with_other_arguments(
    scene: FakePrograms,
) -> None:
    launcher = await launcher_in(scene)
    plain = launcher._document(ExecCommand(words=("id",)))
    assert plain["args"] == ["id"]
    assert plain["terminal"] is False
    assert plain["user"] == {"uid": 7}
    assert plain["env"] == ["PATH=/bin"]
    with_terminal = launcher._document(
        ExecCommand(words=("id",), console_socket=Path("/s"), size=(80, 24))
    )
    assert with_terminal["env"] == ["PATH=/bin", "TERM=xterm"]
    assert with_terminal["consoleSize"] == {"width": 80, "height": 24}


async def test_environment_stays_where_the_container_has_no_terminal(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    process = {"args": ["x"], "env": ["TERM=vt100"], "terminal": False}
    config = scene.place / f"{1:064x}" / "config.json"
    config.write_text(json.dumps({"process": process}))
    assert launcher._document(ExecCommand(words=("id",)))["env"] == ["TERM=vt100"]


async def test_tree_with_a_session_of_its_own_is_killed(scene: FakePrograms) -> None:
    script = "setsid sleep 600 & echo $!; wait"
    read, write = os.pipe()
    program = await scene.services.programs.launch(
        ("sh", "-c", script), subject="test", stdout=write
    )
    os.close(write)
    grandchild = int(await asyncio.to_thread(os.read, read, 100))
    ended = scene.services.reaper.expect(grandchild)
    kill_tree(program.pid)
    assert await program.wait() == 137
    assert os.waitstatus_to_exitcode(await ended) == -9
    os.close(read)
    kill_tree(program.pid)  # gone: nothing happens


async def test_record_of_a_command_with_a_caller_stays_until_it_ends(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    bundle = scene.place / f"{1:064x}"
    started = await launcher.launch(ExecCommand(words=("sleep", "600"), ends_with_daemon=True))
    [record] = bundle.glob("exec-*")
    assert record.read_text() == f"{started.pid} {start_time_of(started.pid)}"
    started.kill()
    await started.wait()
    await asyncio.sleep(0)
    assert not list(bundle.glob("exec-*"))


async def test_command_of_a_client_with_streams_has_no_record(scene: FakePrograms) -> None:
    launcher = await launcher_in(scene)
    started = await launcher.launch(ExecCommand(words=("sleep", "600")))
    assert not list((scene.place / f"{1:064x}").glob("exec-*"))
    started.kill()
    await started.wait()
