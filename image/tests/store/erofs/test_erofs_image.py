"""Tests of the layout as a whole, read back by an independent reader."""

import os
import stat
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.store.erofs import erofs_image
from image.store.erofs.chunk_map import Unsupported
from image.store.erofs.erofs_image import write_index
from image.store.erofs.layer_nodes import Directory, Link, Regular
from image.tests.store.erofs.index_reading import read_index


@pytest.fixture
def fd() -> Iterator[int]:
    fd = os.memfd_create("index")
    yield fd
    os.close(fd)


def written(root: Directory, fd: int, tar: bytes = b"") -> bytes:
    size = write_index(root, fd, len(tar) // 512)
    assert os.fstat(fd).st_size == size
    return os.pread(fd, size, 0)


def directory(**children: Directory | Regular | Link) -> Directory:
    named = {name.encode(): child for name, child in children.items()}
    return Directory(stat.S_IFDIR | 0o755, children=dict(named))


def test_empty_layer_is_one_page_and_always_the_same(fd: int) -> None:
    first = written(directory(), fd)
    assert len(first) == 4096
    assert list(read_index(first, b"")) == [b""]
    assert written(directory(), fd) == first


def test_other_content_has_another_uuid(fd: int) -> None:
    one = written(directory(), fd)
    two = written(directory(a=directory()), fd)
    assert one[1072:1088] != two[1072:1088]


def test_root_lies_where_sixteen_bits_reach(fd: int) -> None:
    root = directory(**{f"f{number:05}": directory() for number in range(20_000)})
    found = read_index(written(root, fd), b"")
    assert len(found) == 20_001
    assert found[b""].nid < 1 << 16
    assert found[b""].links == 20_002


def test_names_before_the_dots_are_in_order(fd: int) -> None:
    root = directory()
    root.children = {name: Regular(stat.S_IFREG) for name in (b"\x01", b"!x", b".a", b"\xff", b"-")}
    assert set(read_index(written(root, fd), b"")) == {b"", *root.children}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=255).filter(
            lambda n: not {0, 0x2F} & set(n) and n not in b".."
        ),
        st.one_of(st.integers(0, 5000), st.binary(min_size=1, max_size=1200)),
        max_size=60,
    ),
    st.dictionaries(st.text("abc", min_size=1, max_size=9), st.binary(max_size=400), max_size=4),
)
def test_any_directory_is_read_back(
    content: dict[bytes, int | bytes], attributes: dict[str, bytes]
) -> None:
    fd = os.memfd_create("index")
    tar = bytes(range(256)) * 40
    xattrs = {f"user.{name}": value for name, value in attributes.items()}
    root = Directory(stat.S_IFDIR | 0o755, xattrs=xattrs)
    for name, value in content.items():
        if isinstance(value, int):
            node = Regular(stat.S_IFREG | 0o600, xattrs=xattrs, size=value, offset=512)
            node.chunk_bits = max(9, (value - 1).bit_length())
            root.children[name] = node
        else:
            root.children[name] = Link(stat.S_IFLNK | 0o777, target=value.replace(b"\0", b"x"))
    found = read_index(written(root, fd, tar), tar)
    os.close(fd)
    assert set(found) == {b"", *content}
    for name, value in content.items():
        expected = tar[512 : 512 + value] if isinstance(value, int) else value.replace(b"\0", b"x")
        assert found[name].content == expected
        if isinstance(value, int):
            assert found[name].xattrs == xattrs


def test_memory_is_flushed_on_the_way(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    root = directory(**{f"{'n' * 100}{number}": directory() for number in range(300)})
    whole = written(root, fd)
    monkeypatch.setattr(erofs_image, "_BUFFER", 100)
    os.ftruncate(fd, 0)
    assert written(root, fd) == whole


def test_index_beyond_block_numbers_is_extracted(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erofs_image, "_MAX_BLOCKS", 4)
    with pytest.raises(Unsupported):
        written(directory(a=Link(stat.S_IFLNK, target=b"x" * 2000)), fd)
