"""`lading image rm` removes each, and exits with the refusal's code."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def removed(*, whole: bool, dry: bool = False) -> dict[str, object]:
    return {
        "id": "sha256:ab",
        "removed_names": ["a:1"],
        "image_removed": whole,
        "freed_bytes": 1000,
        "dry_run": dry,
    }


def test_outcomes_are_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/rm", removed(whole=True))
    assert lading("image", "rm", "a:1").out == "removed a:1, 1.00 kB free again\n"
    daemon.on("image/rm", removed(whole=False, dry=True))
    assert "would remove the name a:1; the image stays" in lading("image", "rm", "a:1").out


def test_one_refusal_does_not_keep_the_others(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.refuse("image/rm", "rm a: kept", 7)
    said = lading("image", "rm", "--force", "a", "b")
    assert said.code == 7
    assert [asked["reference"] for _, asked in daemon.asked] == ["a", "b"]
    assert daemon.asked[0][1]["force"] is True
