"""How the pause program is started, and what its end means."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runtime.errors import DeadlineExceeded, Internal
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.host import PauseRequest
from runtime.host.pause_process import cgroup_files, end_pid_namespace, start_pause


@dataclass
class FakeEnd:
    """How the program ends."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False


@dataclass
class FakeLauncher:
    """Answers as told."""

    end: FakeEnd
    argv: list[str] = field(default_factory=list)

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        env: Mapping[str, str] | None = None,
    ) -> FakeEnd:
        self.argv = list(argv)
        return self.end


@pytest.fixture
def request_(tmp_path: Path) -> PauseRequest:
    for name in ("net", "uts"):
        (tmp_path / name).touch()
    return PauseRequest(program=Path("/lading-pause"), namespaces=tmp_path, cgroup="")


async def test_existing_pins_are_joined_and_the_child_is_identified(
    request_: PauseRequest, tmp_path: Path
) -> None:
    launcher = FakeLauncher(FakeEnd(stdout=f"{os.getpid()}\n".encode()))
    process = await start_pause(launcher, request_, (Path("/c/cgroup.procs"),))
    assert process.pid == os.getpid()
    assert launcher.argv == [
        "/lading-pause",
        *("--cgroup-procs", "/c/cgroup.procs"),
        *("--net", f"{tmp_path}/net"),
        *("--uts", f"{tmp_path}/uts"),
        *("--pin", f"{tmp_path}/pid"),
    ]


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        (FakeEnd(exit_code=1, stderr=b"enter namespace /x: errno 2\n"), "enter namespace /x"),
        (FakeEnd(stdout=b"nonsense"), "printed 'nonsense'"),
        (FakeEnd(stdout=b"2147483647"), "ended at once"),
    ],
)
async def test_failure_is_told_in_its_own_words(
    request_: PauseRequest, end: FakeEnd, cause: str
) -> None:
    with pytest.raises(Internal, match=cause):
        await start_pause(FakeLauncher(end), request_, ())


@pytest.mark.parametrize("stderr", [b"", b"slow\n"])
async def test_silence_is_told(request_: PauseRequest, stderr: bytes) -> None:
    end = FakeEnd(exit_code=137, timed_out=True, stderr=stderr)
    with pytest.raises(DeadlineExceeded, match="did not come up"):
        await start_pause(FakeLauncher(end), request_, ())


def test_cgroup_is_made_and_its_files_are_named(tmp_path: Path) -> None:
    layout = CgroupLayout(mode="v2", controllers=(), unified=tmp_path, unified_controllers=())
    assert cgroup_files(layout, "/pod") == (tmp_path / "pod" / "cgroup.procs",)
    assert (tmp_path / "pod").is_dir()
    assert cgroup_files(layout, "") == ()


def test_pin_that_is_no_living_namespace_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "pid").touch()
    assert not end_pid_namespace(tmp_path / "pid")
    assert not end_pid_namespace(tmp_path / "none")
