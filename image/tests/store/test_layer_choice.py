"""Tests of the choice between layer stores."""

import errno
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


@pytest.mark.parametrize(
    ("wanted", "kind", "mode"),
    [
        ("auto", "extract", MountMode.FILE),
        ("file", "erofs", MountMode.FILE),
        ("loop", "erofs", MountMode.LOOP),
    ],
)
def test_full_disk_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, kind: str, mode: MountMode
) -> None:
    def probe(directory: Path, sample: Sample, mode: MountMode) -> ProbeResult:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(layer_choice, "probe", probe)
    found = choose_layers(tmp_path, wanted)
    assert (found.new_kind, found.mode) == (kind, mode)
    assert "disk is full" in found.reason


def test_directory_that_cannot_be_used_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def probe(directory: Path, sample: Sample, mode: MountMode) -> ProbeResult:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(layer_choice, "probe", probe)
    with pytest.raises(OSError, match="read-only"):
        choose_layers(tmp_path, "auto")
