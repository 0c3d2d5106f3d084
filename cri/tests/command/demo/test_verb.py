"""`lading demo`: light help, and a clear word when it is not root."""

import os

import pytest

from cri.command.command_line import run
from cri.command.exit_codes import ExitCode


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--help"]) == ExitCode.OK
    assert "lading demo --handler runc" in capsys.readouterr().out


def test_without_root_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(["demo"]) == ExitCode.FAILED
    assert "needs root; try: sudo lading demo" in capsys.readouterr().err
