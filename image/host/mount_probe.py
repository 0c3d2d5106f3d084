"""Find out at start how layers can be shown here, by doing it once with a tiny layer in the store's own directory.

Promise: kernel versions are not asked, since distributions change what they mean: a mount that works and reads right
is the proof, overlays above it included. Whatever fails means a slower way, never a failed start, and nothing is
left behind.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image.host.layer_mounts import MountMode, mount_layer
from image.host.mount_calls import mount_filesystem, mount_points_below, unmount


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A layer with one file, made by the store that asks."""

    index: bytes
    tar: bytes
    name: str
    content: bytes
    """Long enough that half of the tar does not hold it all."""


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """What was found."""

    mode: MountMode
    reason: str = ""
    """Why layers are extracted; empty when they are not."""
    tells_damage: bool = True
    """Whether bytes that cannot be read are an error. Kernels before 6.12.85 show zeroes instead."""


def probe(directory: Path, sample: Sample, mode: MountMode) -> ProbeResult:
    """Try a way of showing layers below `directory`; the result is that way, or extraction.

    Raises:
        OSError: the directory itself cannot be used; ENOSPC or EDQUOT tell nothing about the kernel.
    """
    with _workshop(directory) as place:
        try:
            _try_mode(place, sample, mode)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise
            return ProbeResult(mode=MountMode.EXTRACT, reason=_worded(error))
        return ProbeResult(mode=mode, tells_damage=_tells_damage(place, sample, mode))


@contextlib.contextmanager
def _workshop(directory: Path) -> Iterator[Path]:
    place = directory / "probe"
    _clear(place)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        _clear(place)


def _clear(place: Path) -> None:
    for point in mount_points_below(place):
        unmount(point)
    if place.exists():
        shutil.rmtree(place)


def _try_mode(place: Path, sample: Sample, mode: MountMode) -> None:
    layers = [_mounted(place / name, sample, sample.tar, mode) for name in ("a", "b")]
    under = _overlay(place / "overlay", layers)
    # A container may run containers: overlay above overlay above the layers (6.12.63 to 6.12.68 refuse it).
    empty = place / "empty"
    empty.mkdir()
    for shown in (*layers, under, _overlay(place / "nested", [empty, under])):
        if (shown / sample.name).read_bytes() != sample.content:
            raise OSError(errno.EIO, "file reads differently than it was written")


def _mounted(place: Path, sample: Sample, tar: bytes, mode: MountMode) -> Path:
    target = place / "root"
    target.mkdir(parents=True)
    for name, content in (("index", sample.index), ("tar", tar)):
        (place / name).write_bytes(content)
    mount_layer(place / "index", place / "tar", target, mode)
    return target


def _overlay(target: Path, lowers: list[Path]) -> Path:
    target.mkdir()
    # Names inside the store hold no colon or comma of ours, but its own path may: descriptors have neither.
    with contextlib.ExitStack() as stack:
        names = []
        for path in lowers:
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            names.append(f"/proc/self/fd/{fd}")
        mount_filesystem("overlay", (("lowerdir", ":".join(names)),), target)
    return target


def _tells_damage(place: Path, sample: Sample, mode: MountMode) -> bool:
    cut = len(sample.tar) // 2 // 512 * 512
    try:
        shown = _mounted(place / "cut", sample, sample.tar[:cut], mode)
        (shown / sample.name).read_bytes()
    except OSError:
        return True
    return False


def _worded(error: OSError) -> str:
    words = {
        errno.ENOTBLK: "kernel or filesystem cannot mount files (Linux 6.12, not tmpfs or overlay)",
        errno.ENODEV: "kernel has no EROFS",
        errno.EPERM: "no right to mount",
        errno.ENOSYS: "kernel has no fsopen",
    }
    return words.get(error.errno or 0) or str(error.strerror or error)
