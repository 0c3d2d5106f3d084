"""`lading image pull` prints bars, lines, JSON or an id; the outcome is on standard output."""

import json
from pathlib import Path

import pytest

from cri.tests.command.conftest import CannedDaemon, CommandLine

STEP: dict[str, object] = {
    "schema": "lading.image-pull/v1",
    "event": "progress",
    "reference": "a:1",
    "phase": "resolving",
    "layers": [],
}
DONE: dict[str, object] = {
    "schema": "lading.image-pull/v1",
    "event": "done",
    "reference": "a:1",
    "id": "sha256:abc",
    "seconds": 1,
    "bytes": 5,
    "source": "",
    "layers": 1,
    "layers_reused": 0,
    "phases": {},
}


def test_the_outcome_is_one_line(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/pull", STEP, DONE)
    said = lading("image", "pull", "--progress", "lines", "a:1")
    assert said.out == "a:1 pulled in 1.0 s, 5 B (abc)\n"
    assert lading("image", "pull", "-q", "a:1").out == "sha256:abc\n"


@pytest.mark.parametrize("more", [[], ["--json"], ["--progress", "json"]], ids=" ".join)
def test_elsewhere_than_on_a_terminal_each_event_is_a_line_of_json(
    daemon: CannedDaemon, lading: CommandLine, more: list[str]
) -> None:
    daemon.on("image/pull", STEP, DONE)
    out = lading("image", "pull", *more, "a:1").out
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["progress", "done"]


def test_one_failure_does_not_keep_the_others(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.refuse("image/pull", "a: no", 4)
    said = lading("image", "pull", "a", "b")
    assert said.code == 4
    assert [asked["reference"] for _, asked in daemon.asked] == ["a", "b"]


def test_credentials_come_from_the_file(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"r.test": {"auth": "dTpw"}}}))
    daemon.on("image/pull", DONE)
    lading("image", "pull", "--auth-file", str(file), "r.test/a:1")
    auth = daemon.asked[-1][1]["auth"]
    assert isinstance(auth, dict)
    assert (auth["auth"], auth["server_address"]) == ("dTpw", "r.test")


def test_bars_are_for_terminals(
    daemon: CannedDaemon, lading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    daemon.on("image/pull", STEP, DONE)
    assert lading("image", "pull", "a:1").out == "a:1 pulled in 1.0 s, 5 B (abc)\n"
