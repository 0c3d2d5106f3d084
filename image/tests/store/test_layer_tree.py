"""Tests of layers settled above others, and of the view that settling needs."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from image.host.disk_usage import usage_below
from image.model.digest import sha256_digest
from image.store import layer_tree
from image.store.extracted_layers import ExtractedLayers
from image.store.layer_store import LayerSummary
from image.store.layer_tree import LayerTree
from image.store.tar_headers import TarError
from image.store.tree_record import tree_damage
from image.store.unpack_tar import UnpackLimits
from image.tests.store.image_making import build
from image.tests.store.tar_making import DIRECTORY, HARD_LINK, Chunks, TarMaker

Publish = Callable[[TarMaker], LayerSummary]


class Stack:
    """Layers published one above the other."""

    def __init__(self, directory: Path) -> None:
        (directory / "layers").mkdir()
        (directory / "staging").mkdir()
        self._staging = directory / "staging"
        self._store = ExtractedLayers(directory / "layers", self._staging)
        self.places: list[Path] = []

    def add(self, tar: TarMaker) -> LayerSummary:
        chain_id = sha256_digest(b"%d" % len(self.places))
        summary = build(self._staging / "new", tar.done(), self.places)
        self._store.publish(self._staging / "new", chain_id, summary)
        self.places.insert(0, self._store.place(chain_id))
        return summary

    def top(self, path: str) -> Path:
        return self.places[0] / "root" / path


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_directory_not_described_is_as_below(stack: Stack) -> None:
    pax = {"SCHILY.xattr.user.a": "b"}
    stack.add(TarMaker().add("tmp", type=DIRECTORY, mode=0o1777, mtime=7, pax=pax))
    stack.add(TarMaker().add("other", b"1"))
    stack.add(TarMaker().add("tmp/f", b"1").add("fresh/f", b"1"))
    assert _mode(stack.top("tmp")) == 0o1777
    assert stack.top("tmp").stat().st_mtime == 7
    assert os.getxattr(stack.top("tmp"), "user.a") == b"b"
    assert _mode(stack.top("fresh")) == 0o755


def test_root_not_described_is_as_below(stack: Stack) -> None:
    stack.add(TarMaker().add("./", type=DIRECTORY, mode=0o700, mtime=9))
    stack.add(TarMaker().add("f", b"1"))
    assert _mode(stack.top("")) == 0o700
    assert stack.top("").stat().st_mtime == 9


def test_whiteout_of_nothing_is_dropped(stack: Stack) -> None:
    stack.add(TarMaker().add("d", type=DIRECTORY).add("d/real", b"1").add("gone/x", b"1"))
    stack.add(TarMaker().add(".wh.gone"))
    stack.add(TarMaker().add("d/.wh.real").add("d/.wh.never").add("gone/.wh.x").add("f/.wh.y"))
    assert os.listdir(stack.top("d")) == ["real"]
    assert os.listdir(stack.top("gone")) == []


def test_whiteout_in_an_opaque_directory_is_dropped(stack: Stack) -> None:
    stack.add(TarMaker().add("d/e/x", b"1"))
    summary = stack.add(TarMaker().add("d/.wh..wh..opq").add("d/e/.wh.x"))
    assert summary.opaque == ("d",)
    assert os.listdir(stack.top("d/e")) == []
    stack.add(TarMaker().add("d/e/.wh.x"))
    assert os.listdir(stack.top("d/e")) == []


def test_nothing_shows_through_a_file_or_link(stack: Stack) -> None:
    stack.add(TarMaker().add("a/x", b"1").add("b/x", b"1"))
    stack.add(TarMaker().add("a", b"file"))
    stack.add(TarMaker().add("a/.wh.x").add("b/.wh.x"))
    assert os.listdir(stack.top("a")) == []
    assert os.listdir(stack.top("b")) == ["x"]


def test_sizes_are_counted_in_blocks(stack: Stack) -> None:
    summary = stack.add(TarMaker().add("d", type=DIRECTORY).add("d/f", b"x" * 5000))
    assert (summary.used_bytes, summary.inodes) == usage_below(stack.top(""))


def test_content_is_written_down_as_it_ended(stack: Stack) -> None:
    tar = TarMaker().add("f", b"first").add("f", b"second").add("d/.wh.gone").add("d/g", b"")
    stack.add(tar.add("twin", type=HARD_LINK, link="f"))
    place = stack.places[0]
    assert tree_damage(place / "root", place / "content") == ""
    before = stack.top("f").stat()
    stack.top("f").write_bytes(b"SECOND")
    os.utime(stack.top("f"), ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert "has another content" in tree_damage(place / "root", place / "content")


def test_opaque_directories_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_tree, "MAX_OPAQUE", 1)
    tree = LayerTree(tmp_path / "l", UnpackLimits())
    with pytest.raises(TarError, match="opaque"):
        tree.fill(Chunks(TarMaker().add("a/.wh..wh..opq").add("b/.wh..wh..opq").done()))
    tree.close()


def test_whiteout_whose_directory_was_replaced_is_no_matter(stack: Stack) -> None:
    stack.add(TarMaker().add("a/.wh.b").add("c/.wh.d").add("a", b"1").add("e/.wh.f").add(".wh.e"))
    stack.add(TarMaker().add("d/.wh.b").add("d", b"1").add("d", type=DIRECTORY).add("d/b/c", b"2"))
    assert stack.top("d/b/c").read_bytes() == b"2"
    stack.add(TarMaker().add(".wh.a").add("a/.wh.b").add("a/f", b"2"))
    assert stack.top("a/f").read_bytes() == b"2"
