"""`lading serve`: a bad configuration or flag is refused before anything is touched."""

from pathlib import Path

import pytest

from cri.command.command_line import run
from cri.command.exit_codes import ExitCode


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
