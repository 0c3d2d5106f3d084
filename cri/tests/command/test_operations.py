"""`lading operations` shows, questions and cancels."""

from cri.tests.command.conftest import CannedDaemon, CommandLine

ONE: dict[str, object] = {
    "id": "8c1f0000",
    "kind": "create",
    "object": "default/web",
    "stage": "mount",
    "stage_seconds": 118,
    "age_seconds": 119,
    "budget_seconds": 120,
    "waiters": 2,
    "stuck": True,
}


def test_what_runs_is_a_table(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("operations", {"operations": [ONE]})
    said = lading("operations")
    assert said.code == 0
    row = said.out.splitlines()[1].split()
    assert row == "8c1f0000 create default/web mount 118 s ! 2 min 119 s 2".split()
    assert lading("operations", "--stuck").code == 3
    assert lading("operations", "-q").out == "8c1f0000\n"
    daemon.on("operations", {"operations": []})
    assert lading("operations").out == "nothing runs\n"
    assert lading("operations", "--stuck").code == 0


def test_one_is_shown_with_its_stages(daemon: CannedDaemon, lading: CommandLine) -> None:
    stage = {"name": "mount", "seconds": 118, "budget_seconds": 120, "done": False}
    daemon.on("operation", {**ONE, "stages": [stage]})
    out = lading("operations", "show", "8c1f").out
    assert "create default/web, running for 119 s, 2 waiting for it" in out
    assert out.splitlines()[2].split() == ["mount", "118", "s", "2", "min", "runs"]


def test_one_is_cancelled(daemon: CannedDaemon, lading: CommandLine) -> None:
    daemon.on("operation/cancel", ONE)
    assert "cancelled create default/web" in lading("operations", "cancel", "8c1f").out
    assert daemon.asked[-1] == ("operation/cancel", {"id": "8c1f"})
