"""`lading image export` writes a file, and nothing when it is refused."""

from pathlib import Path

import pytest

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_an_archive_is_written(daemon: CannedDaemon, lading: CommandLine, tmp_path: Path) -> None:
    daemon.answers["/v1/image/export"] = b"tar" * 1000
    target = tmp_path / "a.tar"
    said = lading("image", "export", "-o", str(target), "a:1", "b:1")
    assert said.out == f"exported 2 images, 3.00 kB to {target}\n"
    assert target.read_bytes() == b"tar" * 1000
    assert "references=a%3A1%2Cb%3A1" in daemon.asked[-1][0]


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


def test_a_terminal_gets_no_archive(
    daemon: CannedDaemon, lading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = lading("image", "export", "a")
    assert said.code == 2
    assert "not for a terminal" in said.err
