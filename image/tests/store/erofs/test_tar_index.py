"""Tests of reading tars into nodes, and that both layer stores make the same of any tar."""

import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.store.erofs.chunk_map import Unsupported
from image.store.erofs.erofs_image import write_index
from image.store.erofs.layer_nodes import LayerNodes, Special
from image.store.erofs.tar_index import TarIndex
from image.store.tar_headers import TarError
from image.store.tar_stream import TarStream
from image.store.unpack_tar import UnpackLimits
from image.tests.store.erofs.index_reading import Seen, read_index
from image.tests.store.image_making import build
from image.tests.store.tar_making import (
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    SYMLINK,
    Chunks,
    TarMaker,
)


def indexed(tar: bytes, piece: int = 1 << 20, **limits: int) -> LayerNodes:
    index = TarIndex(UnpackLimits(**limits))
    index.run(TarStream(Chunks(tar, piece)))
    return index.nodes


def shown(tar: bytes, piece: int = 1 << 20) -> dict[bytes, Seen]:
    """Return what the index of a tar shows."""
    nodes = indexed(tar, piece)
    fd = os.memfd_create("index")
    try:
        size = write_index(nodes.root, fd, len(tar) // 512)
        return read_index(os.pread(fd, size, 0), tar)
    finally:
        os.close(fd)


def everything() -> TarMaker:
    return (
        TarMaker()
        .add("d", type=DIRECTORY, mode=0o1777, owner=(7, 1 << 31), mtime=1.5)
        .add("d/f", b"content", mode=0o4755, owner=(1, 2), pax={"SCHILY.xattr.user.a": "b"})
        .add("d/empty")
        .add("hard", type=HARD_LINK, link="d/f")
        .add("soft", type=SYMLINK, link="../x" * 100)
        .add("long", type=SYMLINK, link="x" * 1000)
        .add("null", type=CHARACTER, device=(1, 3), mode=0o666)
        .add("pipe", type=FIFO)
        .add("n" * 255, b"x" * 5000)
        .add("p/q/r", b"y")
    )


@pytest.mark.parametrize("piece", [1 << 20, 511, 700])
def test_everything_is_shown_as_described(piece: int) -> None:
    found = shown(everything().done(), piece)
    assert len(found) == 13
    directory = found[b"d"]
    assert (directory.mode, directory.uid, directory.gid) == (stat.S_IFDIR | 0o1777, 7, 1 << 31)
    assert directory.mtime_ns == 1_500_000_000
    file = found[b"d/f"]
    assert (file.mode, file.content, file.links) == (stat.S_IFREG | 0o4755, b"content", 2)
    assert file.xattrs == {"user.a": b"b"}
    assert found[b"hard"] == file
    assert found[b"d/empty"].content == b""
    assert found[b"soft"].content == b"../x" * 100
    assert found[b"long"].content == b"x" * 1000
    assert found[b"soft"].mode == stat.S_IFLNK | 0o777
    assert found[b"null"].device == (1, 3)
    assert stat.S_ISFIFO(found[b"pipe"].mode)
    assert found[b"n" * 255].content == b"x" * 5000
    assert found[b"p/q"].mode == stat.S_IFDIR | 0o755


def test_later_members_win() -> None:
    tar = TarMaker().add("a", b"1").add("a", b"2").add("b/c", b"1").add("b", b"3")
    tar.add("d", type=DIRECTORY, mode=0o700).add("d/f", b"4").add("d", type=DIRECTORY, mode=0o711)
    found = shown(tar.done())
    assert found[b"a"].content == b"2"
    assert found[b"b"].content == b"3"
    assert b"b/c" not in found
    assert (found[b"d"].mode & 0o777, found[b"d/f"].content) == (0o711, b"4")


def test_whiteouts_become_the_marks_of_overlayfs() -> None:
    tar = TarMaker().add("a/.wh.gone").add("o/.wh..wh..opq").add("o/f", b"1").add("null0")
    tar.add("node", type=CHARACTER, device=(0, 0)).add(".wh..wh.plnk/1.2").add("k/x").add(".wh.k")
    found = shown(tar.done())
    for path in (b"a/gone", b"node"):
        assert (found[path].mode, found[path].device) == (stat.S_IFCHR, (0, 0))
    for path in (b"o", b"k"):
        assert found[path].xattrs == {"trusted.overlay.opaque": b"y"}
    assert not [path for path in found if b".wh." in path]


def test_security_a4_attributes_that_steer_the_kernel_are_dropped() -> None:
    pax = {
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.security.selinux": "x",
    }
    assert shown(TarMaker().add("f", b"1", pax=pax).done())[b"f"].xattrs == {}


def test_sparse_file_shows_its_holes() -> None:
    pax = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "s",
        "GNU.sparse.realsize": "6000",
    }
    sparse_map = b"2\n0\n512\n4096\n1904\n".ljust(512, b"\0")
    tar = TarMaker().add("x", sparse_map + b"a" * 512 + b"b" * 1904, pax=pax).done()
    assert shown(tar)[b"s"].content == b"a" * 512 + bytes(3584) + b"b" * 1904


def test_what_cannot_be_expressed_is_extracted() -> None:
    odd = {"GNU.sparse.map": "0,100,200,56", "GNU.sparse.size": "256", "GNU.sparse.name": "s"}
    for tar in (
        TarMaker().add("x", b"x" * 156, pax=odd),
        TarMaker().add("x", pax={"SCHILY.xattr.security.capability": "odd"}),
    ):
        with pytest.raises(Unsupported):
            indexed(tar.done())


@pytest.mark.parametrize(
    "tar",
    [
        TarMaker().add("h", type=HARD_LINK, link="absent"),
        TarMaker().add("f").add("f/x"),
        TarMaker().add("."),
        TarMaker().add(".wh.f").add("h", type=HARD_LINK, link="f"),
        TarMaker().add("d/.wh..."),
        TarMaker(tarfile.USTAR_FORMAT).add("f", b"x" * 600).raw(b"garbage".ljust(512, b"?")),
    ],
)
def test_malformed_layer_is_refused(tar: TarMaker) -> None:
    with pytest.raises(TarError):
        indexed(tar.done())


def test_security_a3_limits_hold() -> None:
    with pytest.raises(TarError, match="more than 3 entries"):
        indexed(TarMaker().add("a/b/c/d/e").add("f").done(), max_entries=3)
    with pytest.raises(TarError, match="deep"):
        indexed(TarMaker().add("a/b/c/d/e").done(), max_depth=3)


def test_data_of_a_truncated_tar_is_missed() -> None:
    with pytest.raises(TarError, match="ends inside"):
        indexed(TarMaker().add("f", b"x" * 5000).done()[:2048])


_NAMES = st.sampled_from(
    [
        "a",
        "b",
        "a/b",
        "b/a",
        "a/b/c",
        "l/x",
        "l/x/y",
        ".wh.a",
        "a/.wh.b",
        "a/.wh..wh..opq",
        "b/.wh.a",
    ]
)
_MEMBERS = st.lists(
    st.tuples(
        _NAMES,
        st.sampled_from([b"0", b"0", DIRECTORY, DIRECTORY, SYMLINK, HARD_LINK, FIFO]),
        st.sampled_from(["a", "b", "/a", "a/b"]),
    ),
    max_size=10,
)


@settings(max_examples=200)
@given(_MEMBERS)
def test_index_and_extraction_agree(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]]
) -> None:
    maker = TarMaker().add("l", type=SYMLINK, link="b")
    for number, (name, kind, link) in enumerate(members):
        if kind == HARD_LINK and name == link.strip("/"):
            continue
        content = b"%d" % number if kind == b"0" else b""
        maker.add(name, content, type=kind, link=link, mode=0o700 + number)
    tar = maker.done()
    staged = tmp_path_factory.mktemp("layer") / "staged"
    umask = os.umask(0)  # as in the worker
    try:
        summary = build(staged, tar, [])
    except TarError:
        with pytest.raises(TarError):
            indexed(tar)
        return
    finally:
        os.umask(umask)
    extracted = {
        path: _described(staged / "root" / os.fsdecode(path)) for path in _walked(staged / "root")
    }
    nodes = indexed(tar)
    for _, directory, _ in nodes.directories():
        # Extraction has dropped whiteouts, since there is nothing below.
        for each, child in tuple(directory.children.items()):
            if isinstance(child, Special) and child.is_whiteout:
                del directory.children[each]
    fd = os.memfd_create("index")
    size = write_index(nodes.root, fd, len(tar) // 512)
    found = read_index(os.pread(fd, size, 0), tar)
    os.close(fd)
    assert {path: _of(seen) for path, seen in found.items()} == extracted
    opaque = {path for path, directory, _ in nodes.directories() if directory.opaque}
    # Extraction keeps the mark of a directory that was replaced and made again: then it only hides more.
    assert opaque <= {path.encode() for path in summary.opaque}


def _walked(root: Path) -> set[bytes]:
    return {b""} | {os.fsencode(path.relative_to(root)) for path in root.rglob("*")}


def _described(path: Path) -> tuple[int, bytes, int]:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return found.st_mode, os.fsencode(os.readlink(path)), found.st_nlink
    content = path.read_bytes() if stat.S_ISREG(found.st_mode) else b""
    return found.st_mode, content, 0 if stat.S_ISDIR(found.st_mode) else found.st_nlink


def _of(seen: Seen) -> tuple[int, bytes, int]:
    return seen.mode, seen.content, 0 if stat.S_ISDIR(seen.mode) else seen.links


@settings(max_examples=150)
@given(st.data())
def test_damaged_tar_is_refused_or_harmless(data: st.DataObject) -> None:
    tar = bytearray(everything().done())
    for _ in range(data.draw(st.integers(1, 4))):
        tar[data.draw(st.integers(0, len(tar) - 1))] = data.draw(st.integers(0, 255))
    try:
        shown(bytes(tar))
    except (TarError, Unsupported):
        return
