"""`lading image export` writes a file or a directory, and nothing when it is refused."""

import json
from pathlib import Path

import pytest

from cri.tests.command.conftest import CannedDaemon, CommandLine
from image.store.tar_writer import END, whole_member


def test_an_archive_is_written(daemon: CannedDaemon, lading: CommandLine, tmp_path: Path) -> None:
    daemon.answers["/v1/image/export"] = b"tar" * 1000
    target = tmp_path / "a.tar"
    said = lading("image", "export", "-o", str(target), "a:1", "b:1")
    assert said.out == f"exported 2 images, 3.00 kB to {target}\n"
    assert target.read_bytes() == b"tar" * 1000
    assert list(tmp_path.glob("*.part")) == []
    asked = {"references": ["a:1", "b:1"], "exact": False, "auths": []}
    assert daemon.asked[-1] == ("image/export", asked)
    told = json.loads(lading("image", "export", "--json", "-o", str(target), "a:1").out)
    assert (told["schema"], told["bytes"]) == ("lading.image-export/v1", 3000)
    assert lading("image", "export", "-q", "-o", str(target), "a:1").out == ""


def test_a_refusal_leaves_no_file(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    daemon.refuse("image/export", "a: no", 4)
    target = tmp_path / "a.tar"
    assert lading("image", "export", "-o", str(target), "a").code == 4
    assert not target.exists()
    daemon.answers["/v1/image/export"] = b"tar"
    daemon.statuses["/v1/image/export"] = 200
    assert lading("image", "export", "-o", "/nowhere/x", "a").code == 1


def test_a_name_with_a_slash_is_a_directory(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    daemon.answers["/v1/image/export"] = whole_member("index.json", b"{}") + END
    assert lading("image", "export", "-o", f"{tmp_path}/new/", "a").code == 0
    assert (tmp_path / "new/index.json").read_bytes() == b"{}"
    daemon.answers["/v1/image/export"] = b"no tar at all" * 100
    said = lading("image", "export", "-o", str(tmp_path), "a")
    assert said.code == 1
    assert "cannot be written" in said.err


def test_credentials_are_for_exact_alone(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    daemon.answers["/v1/image/export"] = b"tar"
    file, target = tmp_path / "config.json", str(tmp_path / "a.tar")
    file.write_text('{"auths": {"r.test": {"auth": "bWU6cA=="}}}')
    words = ("image", "export", "-o", target, "--auth-file", str(file))
    assert lading(*words, "r.test/a").code == 2
    assert lading(*words, "--exact", "r.test/a", "other.test/b").code == 0
    auths = daemon.asked[-1][1]["auths"]
    assert isinstance(auths, list)
    assert auths[0]["auth"] == "bWU6cA=="
    assert auths[1] == {}


def test_a_terminal_gets_no_archive(
    daemon: CannedDaemon, lading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = lading("image", "export", "a")
    assert said.code == 2
    assert "not for a terminal" in said.err
