"""`lading image import` sends a file, a directory or standard input."""

import io
import tarfile
from pathlib import Path

import pytest

from cri.tests.command.conftest import CannedDaemon, CommandLine

ONE: dict[str, object] = {"event": "image", "names": ["a:1"], "id": "sha256:ab", "new": True}
LAST: dict[str, object] = {
    "event": "done",
    "imported": 1,
    "present": 4,
    "bytes": 1.1e9,
    "pin": "boot",
}


UNKNOWN: dict[str, object] = {"event": "unknown"}


@pytest.fixture(autouse=True)
def unknown(daemon: CannedDaemon) -> None:
    """Let no archive be known."""
    daemon.on("image/import/known", UNKNOWN)


def test_an_archive_that_is_known_is_not_sent(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "a.tar").write_bytes(b"archive")
    known = {**ONE, "new": False, "platform": "linux/arm64"}
    daemon.on("image/import/known", known, {**LAST, "imported": 0, "present": 1, "bytes": 0})
    said = lading("image", "import", "--pin", "boot", str(tmp_path / "a.tar"))
    assert said.out.splitlines() == [
        "already here a:1 (ab, linux/arm64)",
        'imported 0 images, 1 already here, 0 B, pinned "boot"',
    ]
    ((verb, asked),) = daemon.asked
    assert (verb, asked["pin"], asked["trust"]) == ("image/import/known", "boot", "false")
    daemon.on("image/import", ONE, LAST)
    assert "imported a:1" in lading("image", "import", "--again", str(tmp_path / "a.tar")).out


def test_a_file_is_sent_and_images_told(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "a.tar").write_bytes(b"archive")
    daemon.on("image/import", ONE, LAST)
    said = lading("image", "import", "--pin", "boot", str(tmp_path / "a.tar"))
    assert said.out.splitlines() == [
        "imported a:1 (ab)",
        'imported 1 image, 4 already here, 1.10 GB, pinned "boot"',
    ]
    assert daemon.bodies[-1] == b"archive"
    assert "pin=boot" in daemon.asked[-1][0]
    assert lading("image", "import", "-q", str(tmp_path / "a.tar")).out == "sha256:ab\n"


def test_a_directory_becomes_a_tar(
    daemon: CannedDaemon, lading: CommandLine, tmp_path: Path
) -> None:
    for name in ("oci-layout", "index.json", "blobs/sha256/ab"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    daemon.on("image/import", LAST)
    assert lading("image", "import", str(tmp_path)).code == 0
    with tarfile.open(fileobj=io.BytesIO(daemon.bodies[-1])) as tar:
        assert tar.getnames() == ["oci-layout", "index.json", "blobs/sha256/ab"]


def test_standard_input_is_sent(
    daemon: CannedDaemon, lading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    daemon.on("image/import", LAST)
    assert lading("image", "import", "-").code == 0
    assert daemon.bodies[-1] == b"piped"


def test_a_file_that_is_not_there_is_a_usage_error(
    daemon: CannedDaemon, lading: CommandLine
) -> None:
    said = lading("image", "import", "/nowhere/x")
    assert said.code == 2
    assert "cannot be read" in said.err
