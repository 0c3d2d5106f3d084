"""`lading serve`: a bad configuration or flag is refused before anything is touched."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

import cri.daemon
from cri.command.command_line import run
from cri.command.exit_codes import ExitCode
from cri.config import Settings


def test_bad_configuration_is_refused_with_its_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("rot = '/r'\n")
    assert run(["serve", "--config", str(file)]) == ExitCode.USAGE
    assert "c.toml:1 error: unknown key rot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--root", "relative", "--root must be an absolute path"),
        ("--state", "x", "--state must be an absolute path"),
        ("--address", "tcp://1", "--address must have the form unix:///PATH"),
    ],
)
def test_bad_flag_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str, words: str
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("")
    assert run(["serve", "--config", str(file), flag, value]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_garbage_is_collected_again_once_the_daemon_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def run_daemon(settings: Settings, *, ready: Callable[[], None]) -> int:
        seen.append(gc.isenabled())
        ready()
        seen.append(gc.isenabled())
        return 0

    monkeypatch.setattr(cri.daemon, "run_daemon", run_daemon)
    file = tmp_path / "c.toml"
    file.write_text("")
    try:
        assert run(["serve", "--config", str(file)]) == 0
    finally:
        gc.unfreeze()
    assert seen == [False, True]
