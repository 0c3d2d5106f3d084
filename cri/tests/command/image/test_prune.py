"""`lading image prune` says what went and what stays."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_what_went_and_what_stays(daemon: CannedDaemon, lading: CommandLine) -> None:
    one = {"id": "sha256:ab", "names": ["a:1"], "size_bytes": 6.1e9}
    kept = {"used": 3, "pinned": 2}
    daemon.on(
        "image/prune", {"removed": [one], "freed_bytes": 6.1e9, "kept": kept, "dry_run": True}
    )
    last = lading("image", "prune", "--dry-run").out.splitlines()[-1]
    assert last == "would remove 1 image, 6.10 GB free again; kept 3 used and 2 pinned"
    assert lading("image", "prune", "-q").out == "sha256:ab\n"
    nothing = {"used": 0, "pinned": 0}
    daemon.on("image/prune", {"removed": [], "freed_bytes": 0, "kept": nothing, "dry_run": False})
    assert lading("image", "prune").out == "removed 0 images\n"
    rest = {"removed": [], "freed_bytes": 0, "partial_bytes": 2e6, "kept": nothing}
    daemon.on("image/prune", {**rest, "dry_run": False})
    told = "removed 0 images, and 2.00 MB of unfinished downloads\n"
    assert lading("image", "prune").out == told
