"""Overlays: options, special directories, limits; the mounting itself is in e2e."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument
from runtime.host import overlay
from runtime.host.host import OverlayMount


@pytest.fixture
def wanted(tmp_path: Path) -> OverlayMount:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return OverlayMount(
        target=tmp_path / "root",
        lower=(tmp_path / "one", tmp_path / "two"),
        upper=tmp_path / "layer" / "upper",
        work=tmp_path / "layer" / "work",
    )


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[object, ...]]]:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(overlay, "mount", lambda *arguments: calls.append(arguments))
    before = os.umask(0o077)
    yield calls
    os.umask(before)


def test_options_are_escaped_and_hardened(
    wanted: OverlayMount, mounted: list[tuple[object, ...]], tmp_path: Path
) -> None:
    odd = tmp_path / "a:b,c\\d"
    odd.mkdir()
    overlay.mount_overlay(replace(wanted, lower=(odd, wanted.lower[0]), readonly=True))
    ((source, target, filesystem, flags, options),) = mounted
    assert (source, target, filesystem, flags) == ("overlay", str(wanted.target), "overlay", 1)
    assert f"lowerdir={tmp_path}/a\\:b\\,c\\\\d:{tmp_path}/one," in str(options)
    assert "metacopy=off" in str(options)
    assert "redirect_dir=nofollow" in str(options)


def test_root_has_the_mode_of_the_topmost_layer_whatever_our_umask(
    wanted: OverlayMount, mounted: list[tuple[object, ...]]
) -> None:
    wanted.lower[0].chmod(0o1777)
    overlay.mount_overlay(wanted)
    assert stat.S_IMODE(wanted.upper.stat().st_mode) == 0o1777
    assert stat.S_IMODE(wanted.work.stat().st_mode) == 0o700


def test_links_at_special_places_are_covered_by_directories(
    wanted: OverlayMount, mounted: list[tuple[object, ...]]
) -> None:
    (wanted.lower[0] / "dev").symlink_to("/victim")
    (wanted.lower[0] / "sys").mkdir()
    (wanted.lower[1] / "sys").symlink_to("/victim")
    (wanted.lower[1] / "proc").touch()
    for _ in range(2):
        overlay.mount_overlay(wanted)
    assert sorted(path.name for path in wanted.upper.iterdir()) == ["dev", "proc"]


class Whiteout:
    """What lstat tells of a whiteout: a character device 0:0 (making one needs privileges)."""

    st_mode = stat.S_IFCHR
    st_rdev = 0


def test_whiteout_hides_what_is_below(
    wanted: OverlayMount, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wanted.lower[1] / "dev").symlink_to("/victim")
    place, real = wanted.lower[0] / "dev", os.lstat
    monkeypatch.setattr("os.lstat", lambda path: Whiteout() if path == place else real(path))
    assert overlay._topmost_kind(wanted, "dev") is None


@pytest.mark.parametrize("count", [0, 501])
def test_number_of_layers_is_limited(wanted: OverlayMount, count: int) -> None:
    with pytest.raises(InvalidArgument, match=f"has {count} layers"):
        overlay.mount_overlay(replace(wanted, lower=wanted.lower[:1] * count))


@pytest.mark.parametrize("error", [22, 38])
def test_old_kernel_gets_short_names_of_many_layers(
    wanted: OverlayMount,
    mounted: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    error: int,
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(error, "no")

    monkeypatch.setattr(overlay, "kernel_call", refuse)
    overlay.mount_overlay(replace(wanted, lower=wanted.lower * 60))
    options = str(mounted[0][4])
    assert options.count("/proc/self/fd/") == 120
    assert len(options) < 4096


def test_other_failure_of_many_layers_is_passed_on(
    wanted: OverlayMount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(12, "no memory")

    monkeypatch.setattr(overlay, "kernel_call", refuse)
    with pytest.raises(OSError, match="no memory"):
        overlay.mount_overlay(replace(wanted, lower=wanted.lower * 60))
