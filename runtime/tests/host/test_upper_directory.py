"""The writable layer looks like what is below it, once."""

import errno
import os
import stat
from pathlib import Path

import pytest

from runtime.host.upper_directory import make_upper

LONG_AGO = 1_000_000_000_123_456_789


def nothing() -> None:
    """Fill nothing in."""


@pytest.fixture
def below(tmp_path: Path) -> Path:
    place = tmp_path / "below"
    place.mkdir()
    os.setxattr(place, "user.kind", b"root")
    os.setxattr(place, "user.overlay.opaque", b"y")
    place.chmod(0o1777)
    os.utime(place, ns=(LONG_AGO, LONG_AGO))
    return place


def test_a_new_one_has_mode_time_and_attributes_of_the_root_below(
    below: Path, tmp_path: Path
) -> None:
    upper = tmp_path / "upper"
    make_upper(upper, below, (upper / "dev").mkdir)
    found = upper.stat()
    assert stat.S_IMODE(found.st_mode) == 0o1777
    assert found.st_mtime_ns == LONG_AGO
    assert os.listdir(upper) == ["dev"]
    assert os.getxattr(upper, "user.kind") == b"root"
    assert "user.overlay.opaque" not in os.listxattr(upper)


def test_one_that_is_there_keeps_what_the_container_made_of_it(below: Path, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir(mode=0o711)
    make_upper(upper, below, nothing)
    assert stat.S_IMODE(upper.stat().st_mode) == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_new_one_belongs_to_whom_the_root_below_belongs(below: Path, tmp_path: Path) -> None:
    os.chown(below, 7, 8)
    make_upper(tmp_path / "upper", below, nothing)
    assert (tmp_path / "upper").stat().st_uid == 7


@pytest.mark.parametrize("call", ["listxattr", "setxattr"])
def test_a_filesystem_without_attributes_will_do(
    below: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, call, fail)
    make_upper(tmp_path / "upper", below, nothing)
    monkeypatch.undo()
    assert os.listxattr(tmp_path / "upper") == []


@pytest.mark.parametrize("call", ["listxattr", "setxattr"])
def test_a_failing_disk_is_told(
    below: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "disk broken")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="disk broken"):
        make_upper(tmp_path / "upper", below, nothing)
