"""Shells complete what the daemon has, and nothing when it is away."""

from collections.abc import Callable

import pytest

from cri.command.command_line import run
from cri.tests.command.conftest import CannedDaemon

HUB, OTHER = "docker.io/library/busybox:1.36", "r.test/app:v2"


Complete = Callable[[str], tuple[list[str], str]]


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """Complete a line as bash does; give what is offered, and what was printed besides."""

    def complete(line: str) -> tuple[list[str], str]:
        monkeypatch.setenv("_LADING_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_LINE", line)
        with pytest.raises(SystemExit) as end:
            run(())
        assert end.value.code == 0
        said = capsys.readouterr()
        return [one.removeprefix("plain,") for one in said.out.split()], said.err

    return complete


@pytest.fixture
def images(daemon: CannedDaemon) -> None:
    daemon.on("image/ls", {"images": [{"tags": [HUB]}, {"tags": [OTHER]}]})


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("lading image rm ", [HUB, OTHER]),
        ("lading image inspect docker.io/library/busybox:1", [HUB]),
        ("lading image rm --force busybox:", ["busybox:1.36"]),
        ("lading why image:r.te", [f"image:{OTHER}"]),
        ("lading why im", ["image:"]),
        ("lading why pod:", []),
        ("lading image tag r.test/app:v3", []),
        ("lading sta", ["status"]),
    ],
    ids=["all", "whole-name", "short-name", "object", "kind", "other-kind", "none", "verb"],
)
def test_names_are_completed(line: str, found: list[str], completed: Complete) -> None:
    assert completed(line) == (found, "")


def test_operations_are_completed_by_id(daemon: CannedDaemon, completed: Complete) -> None:
    daemon.on("operations", {"operations": [{"id": "8c1f"}, {"id": "9a00"}]})
    assert completed("lading operations show 8")[0] == ["8c1f"]


def test_without_a_daemon_nothing_is_completed_or_said(
    monkeypatch: pytest.MonkeyPatch, completed: Complete
) -> None:
    monkeypatch.setenv("LADING_ADMIN", "unix:///nowhere/admin.sock")
    assert completed("lading image rm ") == ([], "")
