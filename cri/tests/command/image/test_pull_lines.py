"""Pulls in words."""

from cri.command.image.pull_lines import done_line, pull_line
from image.model.json_document import JsonObject

LAYERS = [{"phase": "done"}, {"phase": "downloading"}, {"phase": "present"}]


def document(**fields: object) -> JsonObject:
    return JsonObject(subject="x", fields=fields)


def test_a_running_pull() -> None:
    line = pull_line(
        document(
            reference="app:v2",
            phase="downloading",
            bytes=742e6,
            total_bytes=1.21e9,
            bytes_per_second=48e6,
            seconds_left=10,
            layers=LAYERS,
        )
    )
    assert line == (
        "app:v2 61 % 742 MB of 1.21 GB, 48.0 MB/s, 10 s left"
        " (downloading, 1 of 2 layers done, 1 here already)"
    )
    assert pull_line(document(reference="a", phase="resolving")) == "a resolving"


def test_a_pull_that_ended() -> None:
    fields: dict[str, object] = {
        "reference": "app:v2",
        "id": "sha256:abc",
        "seconds": 24.1,
        "bytes": 1e9,
        "source": "https://mirror",
        "layers": 9,
        "layers_reused": 3,
        "phases": {"downloading": 19.8, "unpacking": 3.9, "resolving": 0.01},
    }
    assert done_line(document(**fields)) == (
        "app:v2 pulled from https://mirror in 24 s, 1.00 GB: download 20 s, unpack 3.9 s;"
        " 3 layers of 9 reused (abc)"
    )
    same = done_line(document(**{**fields, "bytes": 0, "layers_reused": 9, "seconds": 0.08}))
    assert same == "app:v2 is up to date (abc), checked in 80 ms"
