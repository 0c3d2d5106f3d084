"""`lading image inspect` shows facts and layers."""

from cri.tests.command.conftest import CannedDaemon, CommandLine
from cri.tests.command.image.test_list import IMAGE


def test_facts_and_layers_are_shown(daemon: CannedDaemon, lading: CommandLine) -> None:
    layer = {
        "digest": "sha256:bbbb",
        "kind": "extract",
        "download_bytes": 1000,
        "size_bytes": 2000,
        "inodes": 3,
        "images": 2,
        "source": "https://m",
    }
    config = {"config": {"Entrypoint": ["/a"], "Cmd": ["b c"], "User": "7"}}
    more = {"manifest_digest": "sha256:m", "platform": "linux/amd64", "layers": [layer]}
    more |= {"source": "https://o", "config_source": ""}
    daemon.on("image/inspect", {**IMAGE, **more, "config": config})
    out = lading("image", "inspect", "app").out
    assert 'runs      "/a", "b c"' in out
    assert "user      7" in out
    assert out.splitlines()[-1].split() == "bbbb extract 1.00 kB 2.00 kB 3 2 https://m".split()
    assert "served by https://o" in out
    assert "config by" not in out
    assert lading("image", "inspect", "-q", "app").out == f"{IMAGE['id']}\n"
