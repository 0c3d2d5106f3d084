"""What a worker hands over is taken away from it before it is believed."""

import os
from pathlib import Path

import pytest

from image.errors import Internal
from image.store.staged_files import shut_out, take_over


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    place = tmp_path / "staged"
    place.mkdir(mode=0o777)
    (place / "tar").write_bytes(b"x")
    (place / "root").mkdir(mode=0o777)
    return place


def test_files_are_closed_to_the_worker(staged: Path) -> None:
    if os.geteuid() == 0:
        for path in (staged, staged / "tar", staged / "root"):
            os.chown(path, 61099, 61099)
    take_over(staged, "chain")
    for path, mode in ((staged, 0o700), (staged / "tar", 0o400), (staged / "root", 0o700)):
        assert path.stat().st_mode & 0o7777 == mode
        assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "second name", "full directory"])
def test_anything_else_than_plain_files_is_refused(staged: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    before = outside.stat()
    match kind:
        case "link":
            (staged / "index").symlink_to(outside)
        case "dangling":
            (staged / "root").rmdir()
            (staged / "root").symlink_to("/none")
        case "fifo":
            os.mkfifo(staged / "index")
        case "second name":
            (staged / "index").hardlink_to(outside)
        case _:
            (staged / "root" / "x").write_bytes(b"")
    with pytest.raises(Internal, match=r"no plain file|full directory"):
        take_over(staged, "chain")
    assert (outside.stat().st_mode, outside.stat().st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.parametrize("kind", ["file", "link", "absent"])
def test_a_layer_is_a_directory(staged: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "other"
    if kind == "file":
        place.write_bytes(b"")
    elif kind == "link":
        place.symlink_to(staged)
    with pytest.raises(Internal, match="no directory"):
        shut_out(place, "chain")
