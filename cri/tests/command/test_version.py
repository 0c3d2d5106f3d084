"""`lading version`: the numbers agree with the distribution's."""

import json
import tomllib
from pathlib import Path

import pytest

from cri.command.command_line import run
from cri.version import VERSION


def test_version_equals_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


def test_version_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"lading {VERSION}, CRI v1")
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "lading.version/v1"
