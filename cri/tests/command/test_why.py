"""`lading why` tells holders as a chain."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def holder(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"kind": kind, "object": name, "state": "", "since": "", "until": "", **more}


def test_an_image_with_holders(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on(
        "why",
        {
            "target": {"kind": "image", "id": "sha256:ab", "names": ["a:1"], "size_bytes": 2e8},
            "holders": [
                holder("container", "default/web/web", state="running"),
                holder("pin", "boot", until="2027-12-01"),
                holder("setting", "image.pinned_images"),
            ],
            "freed_bytes": 1e6,
        },
    )
    assert lading("why", "image:a:1").out.splitlines() == [
        "image a:1 (200 MB)",
        "  <- container default/web/web, running",
        '  <- pin "boot" until 2027-12-01',
        "  <- setting image.pinned_images",
        "removing it frees 1.00 MB",
    ]
    assert lading("why", "-q", "image:a:1").out.splitlines()[0] == "default/web/web"


def test_nothing_and_a_layer(daemon: CannedDaemon, lading: CommandLine) -> None:
    target = {"kind": "layer", "id": "sha256:abcdef", "names": [], "size_bytes": 5}
    daemon.on("why", {"target": target, "holders": [], "freed_bytes": 5})
    assert "nothing keeps it; 'lading image prune'" in lading("why", "image:x").out
    inner = holder("image", "a:1", holders=[holder("pull", "12")])
    daemon.on("why", {"target": target, "holders": [inner], "freed_bytes": 5})
    out = lading("why", "image:x").out.splitlines()
    assert out[1:3] == ["  <- image a:1", "       <- pull 12"]
