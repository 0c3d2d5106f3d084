"""`lading status` says ready or why not, and exits so."""

import json

from cri.tests.command.conftest import CannedDaemon, CommandLine


def answer(*, ready: bool = True, stuck: int = 0) -> dict[str, object]:
    broken = {
        "type": "NetworkReady",
        "ready": ready,
        "reason": "NoConfig",
        "message": "no network configuration; install the add-on",
        "since": "2026-01-01T00:00:00Z",
        "seconds": 41,
    }
    return {
        "schema": "lading.status/v1",
        "verdict": "ready" if ready else "not ready",
        "conditions": [
            {"type": "RuntimeReady", "ready": True, "reason": "", "message": ""},
            broken,
        ],
        "counts": {
            "pods": 37,
            "pods_ready": 35,
            "pods_starting": 2,
            "containers": 80,
            "containers_running": 79,
            "images": 1,
            "pulls": 1,
        },
        "operations": {"running": 3, "oldest_seconds": 4, "stuck": stuck},
        "cleanups_pending": stuck,
        "store": {
            "path": "/s",
            "used_bytes": 41e9,
            "free_bytes": 12e9,
            "size_bytes": 60e9,
            "reclaimable_bytes": 6.1e9,
            "damaged_layers": stuck,
        },
        "uptime_seconds": 7200,
    }


def test_a_ready_node(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("status", answer())
    said = lading("status")
    assert said.code == 0
    first, second, third = said.out.splitlines()
    assert first == "ready, up for 2 h"
    assert second == (
        "37 pods (2 starting), 80 containers (79 running), 1 pull,"
        " 3 operations (oldest 4.0 s, stuck 0)"
    )
    assert third == "1 image, 41.0 GB in /s, 12.0 GB free, 6.10 GB more by a prune"
    assert lading("status", "-q").out == ""
    assert json.loads(lading("status", "--json").out)["schema"] == "lading.status/v1"


def test_an_unready_node_says_why_and_exits_3(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("status", answer(ready=False, stuck=1))
    said = lading("status")
    assert said.code == 3
    assert said.out.startswith(
        "NOT READY for 41 s (NetworkReady): no network configuration [NoConfig]\n"
        "  action  install the add-on\n"
    )
    assert "action  lading operations --stuck" in said.out
    assert "1 damaged layer\n  action  lading image fsck --repair\n" in said.out


def test_waiting_ends_at_its_limit(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("status", answer(ready=False))
    assert lading("status", "--wait", "--timeout", "0").code == 6
    assert lading("status", "--wait", "--timeout", "0", "--admin", "unix:///none").code == 5
