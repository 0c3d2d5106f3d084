"""`lading image fsck` names damage and exits 3 while some is left."""

from cri.tests.command.conftest import CannedDaemon, CommandLine

PROGRESS: dict[str, object] = {"event": "progress", "bytes": 1, "total_bytes": 2}
DAMAGE: dict[str, object] = {
    "event": "damage",
    "kind": "layer",
    "digest": "sha256:77aa",
    "cause": "its tar is missing",
    "images": ["a:1", "b:1"],
    "used_by": ["x"],
}


def done(damaged: int, repaired: int) -> dict[str, object]:
    return {
        "event": "done",
        "bytes": 2e9,
        "bytes_per_second": 5e8,
        "seconds": 4,
        "damaged": damaged,
        "damaged_images": damaged,
        "repaired_images": repaired,
    }


def test_no_damage_is_ok(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/fsck", PROGRESS, done(0, 0))
    said = lading("image", "fsck")
    assert (said.code, said.out) == (0, "ok: checked 2.00 GB in 4.0 s (500 MB/s), no damage\n")


def test_damage_is_named_with_the_way_out(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("image/fsck", DAMAGE, done(1, 0))
    said = lading("image", "fsck")
    assert said.code == 3
    assert said.out.splitlines() == [
        "damaged layer 77aa: its tar is missing (2 images, 1 container: a:1, b:1)",
        "checked 2.00 GB in 4.0 s (500 MB/s): 1 damaged thing, 0 images repaired",
        "action  lading image fsck --repair",
    ]
    assert lading("image", "fsck", "-q").out == "sha256:77aa\n"
    assert lading("image", "fsck", "--json").code == 3


def test_repairs_are_told(daemon: CannedDaemon, lading: CommandLine) -> None:
    good = {"event": "repair", "image": "a:1", "ok": True, "cause": ""}
    bad = {"event": "repair", "image": "b:1", "ok": False, "cause": "is used"}
    daemon.on("image/fsck", DAMAGE, good, bad, done(2, 1))
    said = lading("image", "fsck", "--repair")
    assert said.code == 3
    assert "repaired a:1" in said.out
    assert "not repaired: b:1 is used" in said.out
    daemon.on("image/fsck", DAMAGE, good, done(1, 1))
    assert lading("image", "fsck", "--repair").code == 0
