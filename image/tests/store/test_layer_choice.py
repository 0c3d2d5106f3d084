"""Tests of the choice between layer stores."""

from pathlib import Path

import pytest

from image.errors import FailedPrecondition, InvalidArgument
from image.host.layer_mounts import MountMode
from image.host.mount_probe import ProbeResult, Sample
from image.store import layer_choice
from image.store.layer_choice import choose_layers


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[MountMode]:
    """Play a kernel that can only do what is in the list."""
    able: list[MountMode] = []

    def probe(directory: Path, sample: Sample, mode: MountMode) -> ProbeResult:
        if mode in able:
            return ProbeResult(mode=mode, tells_damage=False)
        return ProbeResult(mode=MountMode.EXTRACT, reason="kernel is old")

    monkeypatch.setattr(layer_choice, "probe", probe)
    return able


@pytest.mark.parametrize(
    ("wanted", "able", "kind", "mode"),
    [
        ("auto", MountMode.FILE, "erofs", MountMode.FILE),
        ("auto", MountMode.LOOP, "extract", MountMode.EXTRACT),
        ("file", MountMode.FILE, "erofs", MountMode.FILE),
        ("loop", MountMode.LOOP, "erofs", MountMode.LOOP),
        ("extract", MountMode.EXTRACT, "extract", MountMode.FILE),
    ],
)
def test_best_way_of_what_is_asked(
    probed: list[MountMode],
    tmp_path: Path,
    wanted: str,
    able: MountMode,
    kind: str,
    mode: MountMode,
) -> None:
    probed.append(able)
    found = choose_layers(tmp_path, wanted)
    assert (found.new_kind, found.mode) == (kind, mode)
    assert found.reason == ("kernel is old" if mode is MountMode.EXTRACT else "")
    assert found.tells_damage == (wanted == "extract" or mode is MountMode.EXTRACT)


@pytest.mark.parametrize("wanted", ["file", "loop"])
def test_what_is_named_and_does_not_work_is_refused(
    probed: list[MountMode], tmp_path: Path, wanted: str
) -> None:
    with pytest.raises(FailedPrecondition, match="kernel is old"):
        choose_layers(tmp_path, wanted)


def test_unknown_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="auto, file, loop or extract"):
        choose_layers(tmp_path, "zfs")
