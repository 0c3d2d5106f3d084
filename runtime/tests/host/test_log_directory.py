"""The directory of a log: security rule F1."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import FailedPrecondition, InvalidArgument
from runtime.host.log_directory import check_log_file, open_log_directory


@pytest.fixture(autouse=True)
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_directories_are_made_and_the_last_one_is_opened(tmp_path: Path) -> None:
    opened = open_log_directory(str(tmp_path / "pod"), "web/0.log")
    assert (opened.name, opened.path) == ("0.log", str(tmp_path / "pod" / "web" / "0.log"))
    assert os.readlink(f"/proc/self/fd/{opened.descriptor}") == str(tmp_path / "pod" / "web")
    os.close(opened.descriptor)
    # Log shippers read it as another user, whatever our umask is.
    assert stat.S_IMODE((tmp_path / "pod" / "web").stat().st_mode) == 0o755


def test_log_in_the_directory_itself_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        opened = open_log_directory(str(tmp_path), "a/0.log")
        os.close(opened.descriptor)
    opened = open_log_directory(str(tmp_path), "0.log")
    os.close(opened.descriptor)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "..", "", ".", "a\0b", "x" * 5000])
def test_path_that_leaves_or_names_nothing_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidArgument, match="log path"):
        open_log_directory(str(tmp_path), path)


@pytest.mark.parametrize("directory", ["", "relative", "/a\0b"])
def test_log_directory_must_be_absolute(directory: str) -> None:
    with pytest.raises(InvalidArgument, match="no absolute path"):
        open_log_directory(directory, "0.log")


def test_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "web").symlink_to("../victim")
    with pytest.raises(FailedPrecondition, match="is a link or no directory"):
        open_log_directory(str(tmp_path / "pod"), "web/0.log")
    assert list((tmp_path / "victim").iterdir()) == []


def test_file_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "web").touch()
    with pytest.raises(FailedPrecondition, match="is a link or no directory"):
        open_log_directory(str(tmp_path), "web/0.log")


def test_log_that_is_a_link_is_refused_also_later(tmp_path: Path) -> None:
    (tmp_path / "0.log").symlink_to("/etc/shadow")
    with pytest.raises(FailedPrecondition, match="not a regular file"):
        open_log_directory(str(tmp_path), "0.log")
    (tmp_path / "0.log").unlink()
    opened = open_log_directory(str(tmp_path), "0.log")
    (tmp_path / "0.log").touch()
    check_log_file(opened.descriptor, opened.name)
    (tmp_path / "0.log").unlink()
    (tmp_path / "0.log").symlink_to("/etc/shadow")
    with pytest.raises(FailedPrecondition):
        check_log_file(opened.descriptor, opened.name)
    os.close(opened.descriptor)


def test_refusal_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "web").touch()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(FailedPrecondition):
            open_log_directory(str(tmp_path), "a/../web/0.log".replace("a/../", ""))
    assert len(os.listdir("/proc/self/fd")) == before
