"""Tests of whiteout names and their record."""

import pytest

from image.store.whiteouts import (
    Whiteouts,
    deleted_path,
    is_aufs_record,
    is_opaque_mark,
    parents,
)


def test_names_are_told_apart() -> None:
    assert deleted_path(b"a/.wh.b") == b"a/b"
    assert deleted_path(b".wh.b") == b"b"
    assert deleted_path(b"a/b") is None
    assert deleted_path(b".wh.d/f") is None
    assert is_opaque_mark(b"a/.wh..wh..opq")
    assert not is_opaque_mark(b"a/.wh.opq")
    assert is_aufs_record(b".wh..wh.plnk/1.2")
    assert not is_aufs_record(b"a.wh..wh.x")


@pytest.mark.parametrize("name", [b".wh.", b"a/.wh..", b"a/.wh..."])
def test_whiteout_of_no_name_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="without a name"):
        deleted_path(name)


def test_parents_go_down_from_the_root() -> None:
    assert parents(b"a/b/c") == [b"", b"a", b"a/b"]
    assert parents(b"") == []


def test_opaque_directory_hides_what_is_in_it() -> None:
    marks = Whiteouts(opaque={b"d": None})
    assert marks.hides(b"d/x")
    assert not marks.hides(b"d")
