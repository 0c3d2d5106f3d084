"""Tests of building layers as tar and index."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Protocol

import pytest

from image.host.disk_usage import usage_below
from image.model.digest import sha256_digest
from image.store import indexed_layer
from image.store.below import Questions
from image.store.erofs.chunk_map import Unsupported
from image.store.indexed_layer import IndexedLayer
from image.store.layer_store import LayerSummary
from image.store.tar_headers import TarError
from image.store.unpack_tar import UnpackLimits
from image.tests.store.erofs.index_reading import Seen, read_index
from image.tests.store.image_making import settled
from image.tests.store.tar_making import DIRECTORY, Chunks, TarMaker


class Build(Protocol):
    def __call__(self, tar: bytes, *lowers: Path) -> LayerSummary: ...


ODD = {"GNU.sparse.map": "0,100,200,56", "GNU.sparse.size": "256", "GNU.sparse.name": "s"}


def lower(path: Path, *opaque: str) -> Path:
    """Make a published layer whose root is a plain directory, as a mounted one looks."""
    (path / "root").mkdir(parents=True)
    (path / "layer.json").write_text(json.dumps({"opaque": opaque}))
    return path


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def build(tar: bytes, *lowers: Path) -> LayerSummary:
        layer = IndexedLayer(tmp_path / "staged", UnpackLimits())
        try:
            layer.fill(Chunks(tar, 700))
            return settled(layer, lowers)
        finally:
            layer.close()

    return build


def shown(place: Path) -> dict[bytes, Seen]:
    return read_index((place / "index").read_bytes(), (place / "tar").read_bytes())


def test_tar_is_kept_as_it_came_with_its_index(build: Build, tmp_path: Path) -> None:
    tar = TarMaker().add("a/f", b"content").add("b", type=DIRECTORY).done() + b"behind the end"
    summary = build(tar)
    staged = tmp_path / "staged"
    assert sorted(os.listdir(staged)) == ["index", "root", "tar"]
    stored = (staged / "tar").read_bytes()
    assert stored == tar.ljust(len(stored), b"\0")
    assert len(stored) % 512 == 0
    assert shown(staged)[b"a/f"].content == b"content"
    assert summary.kind == "erofs"
    assert (summary.used_bytes, summary.inodes) == usage_below(staged)
    assert stat.S_IMODE((staged / "tar").stat().st_mode) == 0o600


def test_directory_not_described_is_as_below(build: Build, tmp_path: Path) -> None:
    below = lower(tmp_path / "below")
    (below / "root/tmp").mkdir()
    (below / "root/tmp").chmod(0o1777)
    os.utime(below / "root/tmp", ns=(5, 7))
    os.setxattr(below / "root/tmp", "user.a", b"b")
    build(TarMaker().add("tmp/f").add("fresh/f").add(".", type=DIRECTORY, mode=0o700).done(), below)
    found = shown(tmp_path / "staged")
    assert found[b"tmp"].mode == stat.S_IFDIR | 0o1777
    assert found[b"tmp"].mtime_ns == 7
    assert found[b"tmp"].xattrs == {"user.a": b"b"}
    assert found[b"fresh"].mode == stat.S_IFDIR | 0o755
    assert found[b""].mode == stat.S_IFDIR | 0o700


def test_whiteouts_of_nothing_are_dropped(build: Build, tmp_path: Path) -> None:
    below = lower(tmp_path / "below")
    (below / "root/d").mkdir()
    for name in ("d/there", "d/kept", "top"):
        (below / "root" / name).write_bytes(b"")
    tar = TarMaker().add("d/.wh.there").add("d/.wh.absent").add(".wh.top").add("o/.wh..wh..opq")
    summary = build(tar.add("o/.wh.x").done(), below)
    found = shown(tmp_path / "staged")
    marks = {path for path, seen in found.items() if stat.S_ISCHR(seen.mode)}
    assert marks == {b"d/there", b"top"}
    assert summary.opaque == ("o",)
    assert found[b"o"].xattrs == {"trusted.overlay.opaque": b"y"}


def test_inexpressible_layer_is_extracted_from_what_was_stored(
    build: Build, tmp_path: Path
) -> None:
    tar = TarMaker().add("f", b"1").add("x", b"x" * 156, pax=ODD).add("after", b"2").done()
    summary = build(tar)
    assert summary.kind == "extract"
    assert sorted(os.listdir(tmp_path / "staged")) == ["content", "root"]
    root = tmp_path / "staged/root"
    assert (root / "s").read_bytes() == b"x" * 100 + bytes(100) + b"x" * 56
    assert (root / "after").read_bytes() == b"2"


def test_index_too_large_is_extracted_at_the_end(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(directory: Path, nodes: object, size: int) -> int:
        (directory / "index").write_bytes(b"half")
        raise Unsupported("too large")

    monkeypatch.setattr(indexed_layer, "write_index_file", refuse)
    assert build(TarMaker().add("f", b"1").done()).kind == "extract"
    assert sorted(os.listdir(tmp_path / "staged")) == ["content", "root"]


def test_malformed_layer_is_refused(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TarError):
        build(TarMaker().add("f", b"x" * 5000).done()[:2000])


def test_opaque_directories_are_bounded(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed_layer, "MAX_OPAQUE", 1)
    with pytest.raises(TarError, match="opaque"):
        build(TarMaker().add("a/.wh..wh..opq").add("b/.wh..wh..opq").done())


def test_layer_that_was_not_filled_has_no_summary(tmp_path: Path) -> None:
    layer = IndexedLayer(tmp_path / "staged", UnpackLimits())
    with pytest.raises(TarError):
        settled(layer, [])
    layer.close()


def test_disk_is_told_to_begin_on_the_way_and_failures_are_seen(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, ...]] = []
    monkeypatch.setattr(indexed_layer, "_WRITEBACK", 2048)
    monkeypatch.setattr(indexed_layer, "start_writeback", lambda *call: begun.append(call[1:]))
    build(TarMaker().add("f", b"x" * 9000).done())
    assert begun[0][0] == 0
    assert begun[1][0] == begun[0][1]


def test_full_disk_is_told(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        build(TarMaker().add(sha256_digest(b"x")).done())


def test_a_builder_that_may_not_extract_keeps_the_tar(tmp_path: Path) -> None:
    tar = TarMaker().add("s", b"x" * 156, pax=ODD).done()
    layer = IndexedLayer(tmp_path / "staged", UnpackLimits(), extracts=False)
    layer.fill(Chunks(tar, 700))
    assert layer.questions() == Questions()
    assert settled(layer, []) == LayerSummary(kind="tar")
    layer.close()
    assert os.listdir(tmp_path / "staged") == ["tar"]
    assert (tmp_path / "staged/tar").read_bytes() == tar
