"""Tests of showing layers, with the mount calls recorded; that the kernel agrees is tested end to end."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from image.host import layer_mounts
from image.host.layer_mounts import MountMode, is_mounted, mount_layer, unmount_layer


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []

    def mount(kind: str, options: Iterable[tuple[str, str]], target: Path) -> None:
        calls.append((kind, *(f"{key}={value}" for key, value in options), str(target)))

    monkeypatch.setattr(layer_mounts, "mount_filesystem", mount)
    monkeypatch.setattr(layer_mounts, "unmount", lambda target: calls.append((str(target),)))
    return calls


def layer(place: Path) -> tuple[Path, Path, Path]:
    (place / "root").mkdir(parents=True)
    for name in ("index", "tar"):
        (place / name).write_bytes(b"")
    return place / "index", place / "tar", place / "root"


def test_files_are_given_by_name(tmp_path: Path, calls: list[tuple[str, ...]]) -> None:
    index, tar, root = layer(tmp_path / "l")
    mount_layer(index, tar, root, MountMode.FILE)
    assert calls == [("erofs", f"source={index}", f"device={tar}", str(root))]


def test_names_too_long_for_the_kernel_go_by_descriptor(
    tmp_path: Path, calls: list[tuple[str, ...]]
) -> None:
    mount_layer(*layer(tmp_path / ("x" * 250) / "l"), MountMode.FILE)
    assert [option.rpartition("/")[0] for option in calls[0][1:3]] == [
        "source=/proc/self/fd",
        "device=/proc/self/fd",
    ]


def test_loop_mode_mounts_devices(
    tmp_path: Path, calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def device(path: Path) -> Iterator[str]:
        yield f"/dev/{path.name}"

    monkeypatch.setattr(layer_mounts, "loop_device", device)
    mount_layer(*layer(tmp_path / "l"), MountMode.LOOP)
    assert calls[0][1:3] == ("source=/dev/index", "device=/dev/tar")


def test_link_in_place_of_a_file_is_refused(tmp_path: Path, calls: list[tuple[str, ...]]) -> None:
    index, tar, root = layer(tmp_path / "l")
    tar.unlink()
    tar.symlink_to("/etc/passwd")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Too many levels"):
        mount_layer(index, tar, root, MountMode.FILE)
    assert calls == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_mounted_is_left_and_what_is_not_is_no_error(
    tmp_path: Path, calls: list[tuple[str, ...]]
) -> None:
    assert is_mounted(Path("/proc"))
    mount_layer(tmp_path, tmp_path, Path("/proc"), MountMode.FILE)
    assert not is_mounted(tmp_path)
    assert not is_mounted(tmp_path / "absent" / "root")
    unmount_layer(tmp_path)
    assert calls == []
    unmount_layer(Path("/proc"))
    assert calls == [("/proc",)]
