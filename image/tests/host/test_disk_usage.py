"""Counting agrees with du(1), and gives way to what changes meanwhile."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from image.host import disk_usage, openat2
from image.host.disk_usage import usage_below, usage_of_entries


def du(place: Path) -> int:
    """Return what du(1) says."""
    done = subprocess.run(
        ["du", "-sB1", str(place)], capture_output=True, check=True, env={"LC_ALL": "C"}
    )
    return int(done.stdout.split()[0])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    place = tmp_path / "tree"
    (place / "a/b").mkdir(parents=True)
    (place / "a/b/file").write_bytes(b"x" * 70_000)
    os.link(place / "a/b/file", place / "twin")
    (place / "link").symlink_to("/usr")
    (place / ("t" * 30)).write_bytes(b"1")
    return place


def test_sum_is_what_du_says(tree: Path) -> None:
    assert usage_below(tree) == (du(tree), 6)


def test_count_ends_at_its_limit(tree: Path) -> None:
    assert usage_below(tree, limit=3)[1] == 3


def test_what_is_gone_counts_nothing(tree: Path) -> None:
    assert usage_below(tree / "none") == (0, 0)
    assert usage_below(tree / "link") == (0, 0)


def test_entries_alone_are_counted_without_what_is_below(tree: Path) -> None:
    assert usage_of_entries(tree)[1] == 5
    assert usage_of_entries(tree, without="a")[1] == 4


def test_what_vanishes_under_the_count_is_passed_over(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = openat2.open_directory

    def vanish(top: int, place: bytes) -> int:
        if place == b"a/b":
            raise OSError(errno.ENOENT, "gone")
        return real(top, place)

    monkeypatch.setattr(disk_usage, "open_directory", vanish)
    assert usage_below(tree)[1] == 6  # the file counts by its other name

    class Gone:
        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise FileNotFoundError

    assert disk_usage._lstat(Gone()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["open_directory", "open"])
def test_failing_disk_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*arguments: object) -> int:
        raise OSError(errno.EIO, "disk broken")

    monkeypatch.setattr(disk_usage if call == "open_directory" else os, call, fail)
    with pytest.raises(OSError, match="disk broken"):
        usage_below(tree)
