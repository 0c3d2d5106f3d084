"""Files below a root that others control: security rules E2 and J1."""

import errno
import os
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument
from runtime.host.container_root import RESOLVE_BENEATH, open_directory, open_resolved, read_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the host")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("inside")
    return root


@pytest.mark.parametrize(
    "name", ["etc/passwd", "/etc/passwd", "../etc/passwd", "/../../etc/passwd"]
)
def test_every_spelling_stays_inside(root: Path, name: str) -> None:
    assert read_below(root, name, 100) == b"inside"


def test_absolute_link_of_the_image_is_followed_inside(root: Path) -> None:
    (root / "link").symlink_to("/etc/passwd")
    assert read_below(root, "link", 100) == b"inside"


@pytest.mark.parametrize("target", ["../../secret", "../secret", "/../secret"])
def test_link_cannot_leave_the_root(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    assert read_below(root, "link", 100) is None


@pytest.mark.parametrize("name", ["nothing", "etc/passwd/below", ""])
def test_what_does_not_exist_is_none(root: Path, name: str) -> None:
    assert read_below(root, name, 100) is None


def test_fifo_directory_and_socket_are_refused_at_once(root: Path) -> None:
    os.mkfifo(root / "fifo")
    for name in ("fifo", "etc"):
        with pytest.raises(InvalidArgument, match="not a regular file"):
            read_below(root, name, 100)


def test_device_is_refused_without_being_opened() -> None:
    with pytest.raises(InvalidArgument, match="not a regular file"):
        read_below(Path("/dev"), "zero", 100)


def test_magic_link_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        read_below(Path("/proc"), f"{os.getpid()}/root/etc/hostname", 100)


def test_loop_of_links_is_refused(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        read_below(root, "loop", 100)


def test_large_sparse_file_is_refused_by_its_size(root: Path) -> None:
    with (root / "big").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(InvalidArgument, match="larger than 10 bytes"):
        read_below(root, "big", 10)


def test_file_without_a_size_is_refused_by_its_content() -> None:
    with pytest.raises(InvalidArgument, match="larger than 10 bytes"):
        read_below(Path("/proc"), f"{os.getpid()}/status", 10)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_impossible_name_is_refused(root: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="no valid name"):
        read_below(root, name, 100)


def test_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_below(tmp_path / "none", "etc/passwd", 100)


def test_disturbed_walk_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def disturbed(*arguments: object) -> int:
        calls.append(arguments)
        raise OSError(errno.EAGAIN, "again")

    monkeypatch.setattr("runtime.host.container_root.kernel_call", disturbed)
    directory = open_directory(root)
    with pytest.raises(BlockingIOError):
        open_resolved(directory, "etc", flags=os.O_PATH, resolve=RESOLVE_BENEATH)
    os.close(directory)
    assert len(calls) > 10
