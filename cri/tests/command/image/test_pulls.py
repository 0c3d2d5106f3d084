"""`lading image pulls` says who waits."""

from cri.tests.command.conftest import CannedDaemon, CommandLine


def test_each_pull_is_a_line(daemon: CannedDaemon, lading: CommandLine) -> None:
    one = {
        "reference": "app:v2",
        "phase": "resolving",
        "callers": {"cri": 3, "operator": 1},
        "age_seconds": 2.5,
        "operation": "8c1f",
        "layers": [],
    }
    daemon.on("image/pulls", {"pulls": [one]})
    assert lading("image", "pulls").out == (
        "app:v2 resolving; for 2.5 s, 3 kubelet or crictl and 1 operator waiting, operation 8c1f\n"
    )
    assert lading("image", "pulls", "-q").out == "app:v2\n"
    daemon.on("image/pulls", {"pulls": []})
    assert lading("image", "pulls").out == "no pull runs\n"
