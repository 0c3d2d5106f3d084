"""`lading config`: findings exit 3 and go to standard error; JSON carries the schema name."""

import json
from pathlib import Path

import pytest

from cri.command.command_line import run
from cri.command.exit_codes import ExitCode


def test_check_of_a_good_file_says_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text("root = '/r'\n")
    assert run(["config", "check", "--config", str(file)]) == ExitCode.OK
    assert capsys.readouterr().out == "ok: 1 file, no errors\n"


def test_check_of_a_bad_file_names_it_and_exits_with_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("rot = '/r'\nx = 1\n")
    assert run(["config", "check", "--config", str(file)]) == ExitCode.FINDINGS
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{file}:1 error: unknown key rot; did you mean root?" in captured.err
    assert captured.err.endswith("2 errors in 1 file; nothing was changed\n")


def test_check_as_json_has_schema_and_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("rot = '/r'\n")
    assert run(["config", "check", "--json", "--config", str(file)]) == ExitCode.FINDINGS
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "lading.config-check/v1"
    assert answer["findings"][0]["line"] == 1


def test_show_prints_values_with_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text("root = '/r'\n")
    assert run(["config", "show", "--diff", "--config", str(file)]) == ExitCode.OK
    assert capsys.readouterr().out == f'root = "/r" ({file}:1)\n'


def test_show_as_json_and_of_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text("root = '/r'\n")
    assert run(["config", "show", "--json", "--config", str(file)]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["values"]["root"] == "/r"
    file.write_text("rot = 1\n")
    assert run(["config", "show", "--config", str(file)]) == ExitCode.FINDINGS


def test_default_prints_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "default"]) == ExitCode.OK
    assert '#root = "/var/lib/lading"' in capsys.readouterr().out
