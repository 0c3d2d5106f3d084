"""The contract suite of container drivers on real crun and runc with conmon, and what only real ones can show.

Needs root. Each test has directories, a cgroup and a reaper of its own and looks for what it may have left.
"""

import asyncio
import itertools
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.contracts.driver_contract import LIMIT, DriverContract, command, remove, running, settled
from e2e.tool_paths import runc, system_tool
from runtime.drivers.driver import ContainerHandle, CreateRequest
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.monitor_cgroup import MonitorCgroup, mounted_hierarchies
from runtime.drivers.oci_runtime import OciRuntimeDriver
from runtime.drivers.program import ProgramRunner
from runtime.drivers.reaper import Reaper
from runtime.errors import DeadlineExceeded, InvalidArgument
from runtime.formats.container_log_lines import parse_log_line
from runtime.formats.mountinfo import parse_mountinfo
from runtime.host.cgroup_layout import read_layout
from runtime.tests.fakes.task_group_supervisor import TaskGroupSupervisor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

WAIT_FOR_FILE = "while ! [ -e /exit-code ]; do sleep 0.01; done; exit $(cat /exit-code)"
CGROUPS = Path("/sys/fs/cgroup")


class RealScene:
    """A real driver with everything it needs, below one directory on tmpfs."""

    def __init__(self, services: DriverServices, program: str, place: Path, cgroup: str) -> None:
        self.services = services
        self.place = place
        self.cgroup = cgroup
        settings = OciRuntimeSettings(
            program=program, root=place / "oci", temporary_directory=place
        )
        self.driver = OciRuntimeDriver(Path(program).name, settings, services)
        self.settings = settings
        self._numbers = itertools.count(1)

    def request(self, *args: str, cwd: str = "/", terminal: bool = False) -> CreateRequest:
        id = f"{next(self._numbers):02x}{secrets.token_hex(31)}"
        bundle = self.place / id
        make_root(bundle / "rootfs")
        words = args or ("/bin/sh", "-c", f"trap 'exit 0' TERM; {WAIT_FOR_FILE}")
        spec = small_spec(words, cwd, f"{self.cgroup}/{id}", terminal)
        log = str(bundle / "log")
        return CreateRequest(
            id=id, name="real", bundle=bundle, spec=spec, log_path=log, terminal=terminal
        )

    async def exit(self, id: str, code: int) -> None:
        part = self.place / id / "rootfs" / "exit-code.part"
        part.write_text(str(code))
        part.rename(part.with_name("exit-code"))

    async def exec_runs(self, handle: ContainerHandle) -> bool:
        pids = await handle.processes()
        return any(command_line(pid) == b"sleep\x00600\x00" for pid in pids)


def sleepers(pids: tuple[int, ...]) -> list[int]:
    """Return those that an exec has started, or may become it; the container's own shell sleeps shorter."""
    return [pid for pid in pids if b"60" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def gone(handle: ContainerHandle) -> None:
    """Wait until no process of an exec is left."""
    async with asyncio.timeout(LIMIT):
        while sleepers(await handle.processes()):
            await asyncio.sleep(0.01)


def make_root(root: Path) -> None:
    """Fill a root filesystem with busybox."""
    programs = root / "bin"
    programs.mkdir(parents=True)
    for name in ("proc", "dev", "tmp"):
        (root / name).mkdir()
    shutil.copy(system_tool("busybox"), programs / "busybox")
    for name in ("sh", "sleep", "cat", "echo", "ls", "id", "head", "true", "dd", "stty", "tty"):
        (programs / name).symlink_to("busybox")


def small_spec(words: tuple[str, ...], cwd: str, cgroup: str, terminal: bool) -> dict[str, object]:
    """Return the least that both runtimes take."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": terminal,
            "user": {"uid": 0, "gid": 0},
            "args": list(words),
            "env": ["PATH=/bin"],
            "cwd": cwd,
            "oomScoreAdj": int(Path("/proc/self/oom_score_adj").read_text()),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666", "mode=0620"],
            },
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            "resources": {"memory": {"limit": 128 << 20}},
        },
    }


@pytest.fixture
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="lading-driver-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def scene(request: pytest.FixtureRequest, place: Path) -> AsyncIterator[RealScene]:
    program = str(request.param)
    cgroup = f"/ladingdriver{place.name[-8:]}"
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    exits = ExitFiles(place / "exits")
    exits.start()
    monitors = MonitorCgroup(f"{cgroup}/monitors", mounted_hierarchies())
    monitors.start()
    layout = read_layout(parse_mountinfo(Path("/proc/self/mountinfo").read_bytes()))
    async with TaskGroupSupervisor() as supervisor:
        services = DriverServices(
            reaper=reaper,
            programs=ProgramRunner(reaper),
            supervisor=supervisor,
            exit_files=exits,
            monitor_cgroup=monitors,
            cgroups=layout,
        )
        made = RealScene(services, program, place, cgroup)
        yield made
        left = await made.driver.enumerate()
        for entry in left:
            await made.driver.delete_leftover(entry.id, entry.bundle)
        assert left == []
        await settled(lambda: reaper.statistics()["awaited"] == 0)
    monitors.stop()
    exits.stop()
    reaper.stop()
    wait_gone(cgroup)


def wait_gone(cgroup: str) -> None:
    """Remove the cgroups of a test; they must be empty, or become so when what was killed has ended."""
    deadline = time.monotonic() + LIMIT
    while left := [path for path in CGROUPS.glob(f"*{cgroup}") if not removed(path)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def removed(directory: Path) -> bool:
    """Try to remove the cgroup of a test, and that of its monitors."""
    for path in (directory / "monitors", directory):
        with suppress(OSError):
            path.rmdir()
    return not directory.exists()


RUNTIMES = [
    pytest.param("crun", id="crun"),
    pytest.param("runc", id="runc-of-debian"),
    pytest.param(str(runc()), id="runc"),
]


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
class TestOciRuntime(DriverContract):
    pass


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
@pytest.mark.parametrize(
    ("args", "cwd", "reason"),
    [
        (("/bin/none",), "/", "ProgramNotFound"),
        (("none",), "/", "ProgramNotFound"),
        (("/bin/plain",), "/", "ProgramNotExecutable"),
        (("/bin",), "/", "ProgramNotExecutable"),
        (("/bin/true",), "/bin/sh", "BadWorkingDirectory"),
    ],
)
async def test_failed_create_names_the_cause_and_leaves_nothing(
    scene: RealScene, args: tuple[str, ...], cwd: str, reason: str
) -> None:
    request = scene.request(*args, cwd=cwd)
    (request.bundle / "rootfs/bin/plain").write_text("no program")
    with pytest.raises(InvalidArgument) as caught:
        await scene.driver.create(request)
    assert caught.value.reason == reason, str(caught.value)
    assert await scene.driver.enumerate() == []
    assert sorted(path.name for path in request.bundle.iterdir()) == ["log", "rootfs"]


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_windows_line_end_after_the_interpreter_is_told(scene: RealScene) -> None:
    request = scene.request("/bin/script")
    script = request.bundle / "rootfs/bin/script"
    script.write_bytes(b"#!/bin/sh\r\necho hi\r\n")
    script.chmod(0o755)
    handle = await scene.driver.create(request)
    await handle.start()
    status = await handle.wait_with_timeout(LIMIT)
    assert status.exit_code != 0
    # crun tells it in its own log, runc on the container's stderr.
    told = status.message + Path(request.log_path).read_text()
    assert "/bin/script" in told
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_cancelled_create_leaves_nothing(scene: RealScene) -> None:
    request = scene.request()
    for delay in [step / 1000 for step in range(30)]:
        handle = None
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                handle = await scene.driver.create(request)
        if handle is not None:
            await remove(handle)
        assert await scene.driver.enumerate() == []


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_lost_monitor_is_told_and_the_container_killed(scene: RealScene) -> None:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.start()
    os.kill(handle.identity.monitor_pid, 9)
    status = await handle.wait_with_timeout(LIMIT)
    assert status.monitor_lost
    assert status.exit_code == 137
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_out_of_memory_is_seen_before_the_exit_is_told(scene: RealScene) -> None:
    request = scene.request("/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1")
    handle = await scene.driver.create(request)
    await handle.start()
    status = await handle.wait_with_timeout(LIMIT)
    assert status.oom_killed
    assert status.exit_code == 137
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_container_and_exec_see_no_descriptor_of_ours(scene: RealScene) -> None:
    request = scene.request("/bin/sh", "-c", f"ls /proc/self/fd; {WAIT_FOR_FILE}")
    directory = os.open(request.bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    handle = await scene.driver.create(replace(request, log_directory_fd=directory))
    os.close(directory)
    await handle.start()
    listed = await handle.exec(command("ls", "/proc/self/fd"))
    assert listed.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the directory that ls reads
    await scene.exit(handle.id, 0)
    await handle.wait_with_timeout(LIMIT)
    lines = Path(request.log_path).read_bytes().splitlines()
    assert [parse_log_line(line).content for line in lines] == [b"0", b"1", b"2", b"3"]
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_timed_out_exec_leaves_no_process(scene: RealScene) -> None:
    handle = await running(scene)
    for words in (("sleep", "600"), ("sh", "-c", "sleep 601 & sleep 602")):
        with pytest.raises(DeadlineExceeded):
            await handle.exec(command(*words, timeout_seconds=0.1))
    await gone(handle)  # the shell's children are reaped by the container's init
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_background_child_does_not_hold_up_exec(scene: RealScene) -> None:
    handle = await running(scene)
    result = await handle.exec(command("sh", "-c", "sleep 600 & echo started"))
    assert result.stdout == b"started\n"
    assert sleepers(await handle.processes())  # it goes on
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_many_execs_leave_no_descriptor_and_no_file(scene: RealScene) -> None:
    request = scene.request()
    handle = await scene.driver.create(request)
    await handle.start()
    before = len(os.listdir("/proc/self/fd"))
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(handle.exec(command("true")))
    await settled(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert not list(request.bundle.glob("exec-*"))
    await remove(handle)


@pytest.mark.parametrize("scene", RUNTIMES, indirect=True)
async def test_monitor_lives_outside_the_cgroup_of_its_container(scene: RealScene) -> None:
    handle = await scene.driver.create(scene.request())
    text = Path(f"/proc/{handle.identity.monitor_pid}/cgroup").read_text()
    assert f":memory:{scene.cgroup}/monitors\n" in text or f"0::{scene.cgroup}/monitors" in text
    assert handle.identity.monitor_pid not in await handle.processes()
    await remove(handle)
