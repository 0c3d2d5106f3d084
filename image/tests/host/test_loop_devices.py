"""Tests of loop devices against a kernel that refuses; the real ones are tested end to end."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from image.host import loop_devices
from image.host.loop_devices import loop_device


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(512))
    return path


class Kernel:
    """Answers the ioctls; /dev is a directory of plain files."""

    def __init__(self, directory: Path, answers: list[int]) -> None:
        self._answers = answers
        self._directory = directory
        self._open = os.open
        self.configured: list[bytes] = []

    def open(self, path: str | Path, flags: int) -> int:
        if not str(path).startswith("/dev/"):
            return self._open(path, flags)
        return self._open(self._directory / "file", os.O_RDONLY)

    def ioctl(self, fd: int, request: int, argument: bytes = b"") -> int:
        if request == 0x4C82:
            return 7
        self.configured.append(argument)
        code = self._answers.pop(0)
        if code:
            raise OSError(code, os.strerror(code))
        return 0


def kernel(monkeypatch: pytest.MonkeyPatch, backing: Path, *answers: int) -> Kernel:
    kernel = Kernel(backing.parent, list(answers))
    monkeypatch.setattr(os, "open", kernel.open)
    monkeypatch.setattr(fcntl, "ioctl", kernel.ioctl)
    return kernel


def test_device_is_read_only_and_small_blocked(
    monkeypatch: pytest.MonkeyPatch, backing: Path
) -> None:
    asked = kernel(monkeypatch, backing, errno.EBUSY, 0)
    before = len(os.listdir("/proc/self/fd"))
    with loop_device(backing) as name:
        assert name == "/dev/loop7"
    assert len(os.listdir("/proc/self/fd")) == before
    config = asked.configured[1]
    assert len(config) == 304  # sizeof(struct loop_config)
    assert config[4:8] == (512).to_bytes(4, "little")
    assert config[8 + 52 : 8 + 56] == (1 | 4).to_bytes(4, "little")


def test_refusal_and_constant_races_end(monkeypatch: pytest.MonkeyPatch, backing: Path) -> None:
    kernel(monkeypatch, backing, errno.EPERM)
    with pytest.raises(PermissionError), loop_device(backing):
        pass
    monkeypatch.setattr(loop_devices, "_ATTEMPTS", 2)
    kernel(monkeypatch, backing, errno.EBUSY, errno.EBUSY)
    with pytest.raises(OSError, match="no free loop device"), loop_device(backing):
        pass


def test_link_is_not_followed(tmp_path: Path, backing: Path) -> None:
    (tmp_path / "link").symlink_to(backing)
    with pytest.raises(OSError, match="Too many levels"), loop_device(tmp_path / "link"):
        pass
