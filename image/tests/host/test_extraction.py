"""Tests of single acts below a root; whole archives are in store/test_unpack_tar.py."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.host.extraction import Attributes, ExtractionRoot, clamp_time


@pytest.fixture
def root(tmp_path: Path) -> Iterator[ExtractionRoot]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    root = ExtractionRoot(fd)
    yield root
    root.close()
    os.close(fd)


def test_missing_parents_are_implied_until_described(root: ExtractionRoot, tmp_path: Path) -> None:
    root.finish_file(root.make_file(b"a/b/f", Attributes(mode=0o600)), Attributes(mode=0o600))
    assert set(root.implied) == {b"", b"a", b"a/b"}
    assert root.make_directory(b"a", Attributes(mode=0o711)) is False
    assert root.make_directory(b"", Attributes(mode=0o700)) is False
    assert set(root.implied) == {b"a/b"}
    root.describe(b"a/b", Attributes(mode=0o1777))
    root.finish()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o711
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o1777


def test_group_and_times_of_a_directory_do_not_disturb_its_files(
    root: ExtractionRoot, tmp_path: Path
) -> None:
    root.make_directory(b"d", Attributes(mode=0o2755, mtime_ns=5))
    root.finish_file(root.make_file(b"d/f", Attributes()), Attributes())
    root.finish()
    assert (tmp_path / "d").stat().st_mtime_ns == 5
    assert (tmp_path / "d/f").stat().st_gid == os.getegid()


def test_kind_and_canonical_path(root: ExtractionRoot) -> None:
    root.make_directory(b"d", Attributes())
    root.make_link(b"l", b"d", Attributes())
    root.make_node(b"l/w", stat.S_IFCHR, 0, Attributes(mode=0))
    assert root.canonical(b"l/w") == b"d/w"
    assert root.kind_of(b"l") == stat.S_IFLNK
    assert root.kind_of(b"l/w") == stat.S_IFCHR
    assert root.kind_of(b"none") == 0
    root.unlink_whiteouts([b"d/w"])
    assert root.kind_of(b"l/w") == 0


def test_attribute_that_does_not_fit_is_an_error(root: ExtractionRoot) -> None:
    attributes = Attributes(xattrs={"user.a": b"x" * 70_000})
    with pytest.raises(OSError, match=r"."):
        root.finish_file(root.make_file(b"f", attributes), attributes)


def test_time_is_brought_into_range() -> None:
    assert clamp_time(10**30) == 2**34 * 10**9
    assert clamp_time(-(10**30)) == -(2**34) * 10**9
    assert clamp_time(5) == 5
