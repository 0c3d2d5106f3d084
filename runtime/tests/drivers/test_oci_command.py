"""Tests of calling a runtime's verbs, with a runner in memory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from runtime.drivers.driver_settings import OciRuntimeSettings
from runtime.drivers.oci_command import OciCommand, find_program
from runtime.drivers.program import DEFAULT_OUTPUT_LIMIT, ProgramResult
from runtime.errors import DeadlineExceeded, Internal, InvalidArgument, Unavailable

ERROR = b'{"level":"error","msg":"exec format error"}\n'


class RecordedPrograms:
    """Answers each run with the result it was given."""

    def __init__(self, exit_code: int = 0, stdout: bytes = b"", *, timed_out: bool = False) -> None:
        self.result = ProgramResult(
            exit_code=exit_code, stdout=stdout, stderr=ERROR, timed_out=timed_out
        )
        self.argv: list[str] = []
        self.timeout_seconds = 0.0

    async def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        subject: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output_limit: int = DEFAULT_OUTPUT_LIMIT,
        pass_fds: Sequence[int] = (),
    ) -> ProgramResult:
        self.argv = list(argv)
        self.timeout_seconds = timeout_seconds
        return self.result


def command(programs: RecordedPrograms, place: Path, *, systemd: bool = False) -> OciCommand:
    settings = OciRuntimeSettings(
        program="/bin/sh",
        root=place,
        arguments=("--extra",),
        systemd_cgroup=systemd,
        temporary_directory=place,
    )
    return OciCommand(programs, settings)


async def test_global_arguments_stand_before_the_verb(tmp_path: Path) -> None:
    programs = RecordedPrograms(stdout=b"said")
    called = command(programs, tmp_path, systemd=True).call("pause", "ab", subject="pause ab")
    assert await called == b"said"
    assert programs.argv == [
        "/bin/sh",
        "--extra",
        f"--root={tmp_path}",
        "--log-format=json",
        "--systemd-cgroup",
        "pause",
        "ab",
    ]
    assert programs.timeout_seconds == 120


async def test_failed_verb_raises_its_first_error(tmp_path: Path) -> None:
    programs = RecordedPrograms(exit_code=1)
    with pytest.raises(InvalidArgument) as caught:
        await command(programs, tmp_path).call("start", "ab", subject="start ab")
    assert caught.value.exit_code == 1
    assert caught.value.program == "sh"
    tried = await command(programs, tmp_path).try_call("start", "ab", subject="start ab")
    assert tried.exit_code == 1


async def test_verb_that_hangs_is_a_deadline_error(tmp_path: Path) -> None:
    programs = RecordedPrograms(timed_out=True)
    with pytest.raises(DeadlineExceeded) as caught:
        await command(programs, tmp_path).call("start", "a", subject="start a", timeout_seconds=3)
    assert "did not end in 3 s" in str(caught.value)
    assert caught.value.details == (ERROR.decode().strip(),)


async def test_states_are_parsed_and_no_root_means_none(tmp_path: Path) -> None:
    listed = [{"id": "ab", "status": "stopped", "pid": 0, "bundle": "/b"}]
    programs = RecordedPrograms(stdout=json.dumps(listed).encode())
    assert [s.id for s in await command(programs, tmp_path).states(subject="list")] == ["ab"]
    assert await command(programs, tmp_path / "none").states(subject="list") == ()
    with pytest.raises(Internal):
        await command(RecordedPrograms(stdout=b"{"), tmp_path).states(subject="list")


def test_runtime_knows_what_has_a_directory(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    assert command(RecordedPrograms(), tmp_path).knows("ab")
    assert not command(RecordedPrograms(), tmp_path).knows("cd")


def test_missing_program_is_unavailable() -> None:
    assert find_program("sh", "test").endswith("/sh")
    with pytest.raises(Unavailable) as caught:
        find_program("no-such-program", "do work")
    assert caught.value.reason == "ProgramMissing"
