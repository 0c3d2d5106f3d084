"""The command line: help is light, faults are one sentence, exit codes hold."""

import subprocess
import sys

import pytest

from cri.command.command_line import run
from cri.command.exit_codes import ExitCode


def test_unknown_verb_is_one_sentence_and_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serv"]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.err == "lading: no such command 'serv'; see 'lading --help'\n"
    assert captured.out == ""


def test_no_verb_shows_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == ExitCode.USAGE
    assert "Verbs:" in capsys.readouterr().out


def test_help_names_every_verb_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert all(verb in out for verb in ("serve", "demo", "config", "version"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cri.command.command_line import run; run(['--help']);"
        "print(sorted({'grpc', 'aiohttp', 'rich', 'google', 'kubernetes'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
