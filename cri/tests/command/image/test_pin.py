"""`lading image pin` and `unpin` say what they did."""

from cri.tests.command.conftest import CannedDaemon, CommandLine

PIN = {"image": "r/a:1", "name": "boot", "since": "x", "until": "2027-01-31"}


def test_pins_are_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/pin", {"pins": [PIN]})
    said = lading("image", "pin", "--name", "boot", "a")
    assert said.out == 'pinned r/a:1 as "boot" until 2027-01-31\n'
    daemon.on("image/unpin", {"removed": [PIN], "still_pinned": True})
    said = lading("image", "unpin", "a")
    assert said.out.startswith("unpinned r/a:1")
    assert "still pinned" in said.out
    daemon.on("image/unpin", {"removed": [], "still_pinned": False})
    assert lading("image", "unpin", "a").out == "a had no such pin\n"
