"""`lading version`: the numbers agree with the distribution's, and the daemon's are asked for."""

import json
import tomllib
from pathlib import Path

import pytest

from cri.tests.command.conftest import CannedDaemon, CommandLine
from cri.version import VERSION

ANSWER: dict[str, object] = {
    "schema": "lading.version/v1",
    "daemon": "0.0.1",
    "cri": "v1",
    "cri_api": "v0.1",
    "state_schema": 7,
    "handlers": [
        {"name": "crun", "version": "crun 1.14", "usable": True, "reason": "", "default": True},
        {"name": "kata", "version": "", "usable": False, "reason": "not here", "default": False},
    ],
}


def test_version_equals_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


def test_an_older_daemon_is_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("version", ANSWER)
    out = lading("version").out
    assert out.startswith(f"lading {VERSION} (daemon 0.0.1: restart it), CRI v1")
    assert "handler crun (default): crun 1.14" in out
    assert "handler kata: unusable: not here" in out
    told = json.loads(lading("version", "--json").out)
    assert (told["client"], told["daemon"]) == (VERSION, "0.0.1")


def test_without_a_daemon_the_program_answers_for_itself(
    lading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LADING_ADMIN", "unix:///nowhere/admin.sock")
    said = lading("version")
    assert said.code == 0
    assert said.out.startswith(f"lading {VERSION}, CRI v1")
    assert "no daemon: " in said.out
    assert json.loads(lading("version", "--json").out)["daemon"] is None
    assert lading("version", "-q").out == f"{VERSION}\n"
