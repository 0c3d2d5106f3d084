"""A layer that was extracted becomes a tar that extracts to the same tree."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from image.errors import FailedPrecondition
from image.store.layer_tree import LayerTree
from image.store.tree_tar import TreeTar
from image.store.unpack_tar import UnpackLimits
from image.tests.store.image_making import asked
from image.tests.store.tar_making import Chunks, TarMaker


def extracted(place: Path, tar: bytes) -> tuple[Path, tuple[str, ...]]:
    tree = LayerTree(place, UnpackLimits())
    try:
        tree.fill(Chunks(tar))
        return place / "root", tree.settle(asked(tree.questions(), [])).opaque
    finally:
        tree.close()


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Describe every file: kind and mode, time, content or target, and which names are one file."""
    names: dict[tuple[int, int], str] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        name = str(path.relative_to(root))
        first = names.setdefault((status.st_dev, status.st_ino), name)
        content: object = os.readlink(path) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        found[name] = (status.st_mode, status.st_mtime_ns, content, first)
    return found


def sample() -> bytes:
    maker = TarMaker(tarfile.PAX_FORMAT).add("b/file", b"x" * 1000, mode=0o640, mtime=5.25)
    maker.add("b/a-long-name-" + "n" * 200, b"")
    maker.add("a/link", type=tarfile.SYMTYPE, link="../b/file")
    maker.add("c/hard", type=tarfile.LNKTYPE, link="b/file")
    maker.add("d/e/f", b"deep")
    maker.add("pipe", type=tarfile.FIFOTYPE)
    return maker.done()


def test_the_tar_extracts_to_the_same_tree(tmp_path: Path) -> None:
    first, _ = extracted(tmp_path / "1", sample())
    tar = b"".join(TreeTar(first).pieces())
    second, _ = extracted(tmp_path / "2", tar)
    assert described(second) == described(first)
    assert tar == b"".join(TreeTar(second).pieces())


def test_marks_of_overlayfs_become_members(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "hidden").mkdir(parents=True)
    (root / "hidden/new").write_bytes(b"n")
    os.setxattr(root / "hidden", "user.overlay.opaque", b"y")
    os.setxattr(root / "hidden", "user.kept", b"1")
    with tarfile.open(fileobj=io.BytesIO(b"".join(TreeTar(root).pieces()))) as opened:
        members = {one.name: one for one in opened}
    assert set(members) == {".", "hidden", "hidden/.wh..wh..opq", "hidden/new"}
    assert members["hidden"].pax_headers["SCHILY.xattr.user.kept"] == "1"
    assert "SCHILY.xattr.user.overlay.opaque" not in members["hidden"].pax_headers


def test_a_whiteout_becomes_its_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "gone").write_bytes(b"")
    real = os.stat

    def stat(name: object, **more: object) -> os.stat_result:
        found = real(name, **more)  # type: ignore[arg-type]
        values = list(found)
        values[0] = 0o020000
        return os.stat_result(values, {"st_rdev": 0, "st_mtime_ns": 0})

    monkeypatch.setattr(os, "stat", stat)
    content = b"".join(TreeTar(root).pieces())
    assert b".wh.gone" in content
    assert b"\0gone" not in content


def test_a_file_that_shrinks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    monkeypatch.setattr(os, "read", lambda _fd, _size: b"")
    with pytest.raises(FailedPrecondition, match="shorter"):
        b"".join(TreeTar(tmp_path).pieces())
