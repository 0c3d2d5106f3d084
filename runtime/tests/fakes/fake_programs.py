"""The real OCI driver on the fake runtime and monitor: everything of the driver runs, and nothing needs root."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.drivers.driver import ContainerHandle, CreateRequest
from runtime.drivers.driver_settings import DriverServices, OciRuntimeSettings
from runtime.drivers.exit_files import ExitFiles
from runtime.drivers.monitor_cgroup import MonitorCgroup
from runtime.drivers.oci_runtime import OciRuntimeDriver
from runtime.drivers.program import ProgramRunner
from runtime.drivers.reaper import Reaper
from runtime.host.cgroup_layout import CgroupLayout
from runtime.tests.fakes.task_group_supervisor import TaskGroupSupervisor

FAKES = Path(__file__).parent
NO_CGROUPS = CgroupLayout(mode="v1", controllers=(), unified=None, unified_controllers=())
SPEC: dict[str, object] = {
    "process": {
        "args": ["sleep", "1000"],
        "env": ["PATH=/bin", "TERM=xterm"],
        "terminal": True,
        "user": {"uid": 7},
        "cwd": "/",
    }
}


def write_program(path: Path, fake: str) -> Path:
    """Write a program that runs one of the fakes."""
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {FAKES / fake} "$@"\n')
    path.chmod(0o755)
    return path


class FakePrograms:
    """A driver and its surroundings below one directory."""

    def __init__(self, place: Path, services: DriverServices, **changes: float) -> None:
        self.place = place
        self.services = services
        self.settings = OciRuntimeSettings(
            program=str(write_program(place / "crun", "fake_oci_runtime.py")),
            monitor_program=str(write_program(place / "conmon", "fake_monitor.py")),
            root=place / "oci",
            temporary_directory=place,
            **{"monitor_lost_grace_seconds": 0.01, **changes},  # type: ignore[arg-type]
        )
        self.driver = OciRuntimeDriver("crun", self.settings, services)
        self._numbers = itertools.count(1)

    def request(self) -> CreateRequest:
        """Return a request with a bundle of its own."""
        id = f"{next(self._numbers):064x}"
        bundle = self.place / id
        (bundle / "rootfs").mkdir(parents=True)
        log = str(bundle / "log")
        return CreateRequest(id=id, name="fake", bundle=bundle, spec=SPEC, log_path=log)

    async def exit(self, id: str, code: int) -> None:
        """Make a container end with a code."""
        bundle = self.place / id
        (bundle / "rootfs" / "exit-code").write_text(str(code))
        pid = int((bundle / "init-pid").read_text())
        await self.services.programs.run(
            ("kill", "-TERM", str(pid)), timeout_seconds=30, subject="test"
        )

    async def exec_runs(self, handle: ContainerHandle) -> bool:
        """Tell whether an exec of `sleep 600` has begun; the fake runtime's are children of this process."""
        children = Path("/proc/self/task").glob("*/children")
        pids = [pid for path in children for pid in path.read_text().split()]
        return any(_command_line(pid) == b"sleep\x00600\x00" for pid in pids)

    async def control_lines(self, id: str, count: int) -> bytes:
        """Return what a monitor has read from its control fifo, once it is as many lines."""
        file = self.place / id / "control-lines"
        async with asyncio.timeout(30):
            while not file.exists() or file.read_bytes().count(b"\n") < count:
                await asyncio.sleep(0.001)
        return file.read_bytes()

    def fail(self, verb: str, text: str) -> None:
        """Make a verb of the runtime fail."""
        (self.place / f"fail-{verb}").write_text(text)

    def hang(self, verb: str) -> None:
        """Make a verb of the runtime wait."""
        (self.place / f"hang-{verb}").touch()

    def pass_again(self, verb: str) -> None:
        """Let a verb work again."""
        for kind in ("fail", "hang"):
            (self.place / f"{kind}-{verb}").unlink(missing_ok=True)


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@asynccontextmanager
async def fake_programs(place: Path, **changes: float) -> AsyncIterator[FakePrograms]:
    """Give a driver on fake programs; at its end all containers are removed."""
    reaper = Reaper()
    reaper.start(asyncio.get_running_loop())
    exits = ExitFiles(place / "exits")
    exits.start()
    try:
        async with TaskGroupSupervisor() as supervisor:
            services = DriverServices(
                reaper=reaper,
                programs=ProgramRunner(reaper),
                supervisor=supervisor,
                exit_files=exits,
                monitor_cgroup=MonitorCgroup("", {}),
                cgroups=NO_CGROUPS,
            )
            made = FakePrograms(place, services, **changes)
            yield made
            for verb in ("list", "delete"):
                made.pass_again(verb)
            for entry in await made.driver.enumerate():
                await made.driver.delete_leftover(entry.id, entry.bundle)
    finally:
        exits.stop()
        reaper.stop()
