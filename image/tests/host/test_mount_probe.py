"""Tests of the probe on kernels of many kinds, played by recorded mount calls."""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from image.host import mount_probe
from image.host.layer_mounts import MountMode
from image.host.mount_probe import ProbeResult, Sample, probe

SAMPLE = Sample(index=b"index", tar=b"t" * 4096, name="sample", content=b"content" * 400)


class Kernel:
    """A kernel that shows the sample, and fails as told."""

    def __init__(self) -> None:
        self.layer_error = 0
        self.overlay_error = 0
        self.shows = SAMPLE.content
        self.zeroes = False

    def mount_layer(self, index: Path, tar: Path, target: Path, mode: MountMode) -> None:
        if self.layer_error:
            raise OSError(self.layer_error, os.strerror(self.layer_error))
        assert index.read_bytes() == SAMPLE.index
        whole = tar.read_bytes() == SAMPLE.tar
        if whole or self.zeroes:
            (target / SAMPLE.name).write_bytes(self.shows)

    def mount_filesystem(self, kind: str, options: Iterable[tuple[str, str]], target: Path) -> None:
        assert kind == "overlay"
        if self.overlay_error:
            raise OSError(self.overlay_error, os.strerror(self.overlay_error))
        lowers = dict(options)["lowerdir"].split(":")
        assert len(lowers) == 2  # without an upper directory the kernel wants two
        shown = next(path for path in lowers if SAMPLE.name in os.listdir(path))
        shutil.copy(f"{shown}/{SAMPLE.name}", target)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(mount_probe, "mount_layer", kernel.mount_layer)
    monkeypatch.setattr(mount_probe, "mount_filesystem", kernel.mount_filesystem)
    return kernel


@pytest.mark.parametrize("mode", [MountMode.FILE, MountMode.LOOP])
def test_good_kernel_is_used_as_asked(kernel: Kernel, tmp_path: Path, mode: MountMode) -> None:
    (tmp_path / "probe" / "rest of a crash").mkdir(parents=True)
    assert probe(tmp_path, SAMPLE, mode) == ProbeResult(mode=mode)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOTBLK, "cannot mount files"),
        (errno.ENODEV, "no EROFS"),
        (errno.EPERM, "no right"),
        (errno.ENOSYS, "fsopen"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_refusal_means_extraction_and_says_why(
    kernel: Kernel, tmp_path: Path, code: int, reason: str
) -> None:
    kernel.layer_error = code
    found = probe(tmp_path, SAMPLE, MountMode.FILE)
    assert found.mode is MountMode.EXTRACT
    assert reason in found.reason
    assert os.listdir(tmp_path) == []


def test_overlays_and_content_are_tried_too(kernel: Kernel, tmp_path: Path) -> None:
    kernel.overlay_error = errno.EINVAL
    assert probe(tmp_path, SAMPLE, MountMode.FILE).mode is MountMode.EXTRACT
    kernel.overlay_error, kernel.shows = 0, b"other"
    assert "differently" in probe(tmp_path, SAMPLE, MountMode.FILE).reason


def test_kernel_that_hides_damage_is_used_and_told(kernel: Kernel, tmp_path: Path) -> None:
    kernel.zeroes = True
    found = probe(tmp_path, SAMPLE, MountMode.FILE)
    assert (found.mode, found.tells_damage) == (MountMode.FILE, False)


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_says_nothing_of_the_kernel(kernel: Kernel, tmp_path: Path, full: int) -> None:
    kernel.layer_error = full
    with pytest.raises(OSError, match=r"."):
        probe(tmp_path, SAMPLE, MountMode.FILE)
    assert os.listdir(tmp_path) == []
