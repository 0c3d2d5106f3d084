"""`lading image tag` says what a name means now."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_a_name_that_moved_is_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/tag", {"id": "sha256:ab", "name": "r/b:1", "moved_from": "sha256:cd"})
    assert lading("image", "tag", "a", "b").out == "r/b:1 is ab now, no longer cd\n"
    assert daemon.asked[-1][1] == {"source": "a", "target": "b"}
