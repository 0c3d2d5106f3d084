"""`lading image ls` is a table, ids or JSON."""

from cri.tests.command.conftest import CannedDaemon, CommandLine

IMAGE: dict[str, object] = {
    "id": "sha256:" + "a" * 64,
    "tags": ["r.test/app:v2", "r.test/app:v3"],
    "digests": [],
    "size_bytes": 1.2e9,
    "unique_bytes": 2.12e8,
    "pulled_at": "",
    "pins": ["boot"],
    "used_by": ["x", "y"],
}


def test_images_are_a_table(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/ls", {"images": [IMAGE], "used_bytes": 1.2e9})
    lines = lading("image", "ls").out.splitlines()
    assert lines[1].split() == "r.test/app:v2 aaaaaaaaaaaa 1.20 GB 212 MB - 2 boot".split()
    assert lines[2] == "r.test/app:v3"
    assert lines[3] == "1 image, 1.20 GB on disk"
    assert lading("image", "ls", "-q").out == f"{IMAGE['id']}\n"


def test_no_images(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/ls", {"images": [], "used_bytes": 0})
    assert lading("image", "ls").out == "0 images, 0 B on disk\n"
