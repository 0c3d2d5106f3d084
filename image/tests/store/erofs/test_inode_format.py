"""Byte-level tests of the on-disk forms; what they mean together is tested with the image."""

import stat
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.store.erofs.chunk_map import Unsupported
from image.store.erofs.inode_format import (
    check_xattrs,
    device_number,
    directory_blocks,
    directory_content,
    inode,
    superblock,
    xattr_block,
)

ACL = b"\2\0\0\0" + bytes(8)
CAPABILITY = b"\1\0\0\2" + bytes(16)


def test_superblock_is_where_and_what_the_kernel_reads() -> None:
    block = superblock(root_nid=48, inodes=7, blocks=8, tar_blocks=9, uuid=b"u" * 16)
    assert len(block) == 512
    assert block[:4] == b"\xe2\xe1\xf5\xe0"
    assert block[8:16] == b"\2\0\0\0\x09\0\x30\0"
    assert struct.unpack_from("<Q", block, 16) == (7,)
    assert struct.unpack_from("<III", block, 36) == (8, 0, 0)
    assert block[48:64] == b"u" * 16
    assert struct.unpack_from("<IHHHBB", block, 80) == (12, 0, 1, 9, 0, 0)
    assert struct.unpack_from("<II", block, 128 + 64) == (9, 8)
    assert block[200:] == bytes(312)


def test_inode_is_extended_and_keeps_times_before_1970() -> None:
    found = inode(
        layout=4,
        xattr_bytes=20,
        mode=stat.S_IFREG | 0o4755,
        size=1 << 40,
        location=0x2F,
        number=3,
        uid=1 << 31,
        gid=5,
        mtime_ns=-1,
        links=2,
    )
    assert len(found) == 64
    fields = struct.unpack("<HHHHQIIIIqII16x", found)
    assert fields == (9, 3, 0o104755, 0, 1 << 40, 0x2F, 3, 1 << 31, 5, -1, 999_999_999, 2)


@pytest.mark.parametrize(
    ("major", "minor", "number"), [(1, 3, 0x103), (0xFFF, 0xFFFFF, 0xFFFFFFFF), (8, 256, 0x100800)]
)
def test_device_numbers_are_the_kernels(major: int, minor: int, number: int) -> None:
    assert device_number(major, minor) == number


def test_xattrs_are_headed_indexed_and_padded() -> None:
    found = xattr_block({"user.a": b"xyz", "security.capability": CAPABILITY})
    assert found[:12] == bytes(12)
    assert found[12:20] == b"\1\1\3\0axyz"
    assert found[20:34] == b"\x0a\6\x14\0capability"
    assert len(found) % 4 == 0
    assert xattr_block({"system.posix_acl_access": ACL})[12:16] == b"\0\2\x0c\0"
    assert xattr_block({}) == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("system.posix_acl_access", b"\1\0\0\0"),
        ("system.posix_acl_default", ACL + b"x"),
        ("security.capability", b"\1\0\0\2"),
        ("user.a", b"x" * 65_536),
        ("user.a", b"x" * 65_530),
        ("user." + "\xe9" * 200, b""),
        ("other.a", b""),
        ("user.", b""),
    ],
)
def test_xattr_that_could_not_be_set_is_extracted(name: str, value: bytes) -> None:
    with pytest.raises(Unsupported):
        check_xattrs({name: value})


def test_good_xattrs_pass() -> None:
    check_xattrs(
        {"security.capability": CAPABILITY, "system.posix_acl_default": ACL, "user.a": b""}
    )
    check_xattrs({"security.capability": b"\1\0\0\3" + bytes(20)})


@given(st.sets(st.binary(min_size=1, max_size=255), max_size=80))
def test_directory_has_the_size_that_was_computed(names: set[bytes]) -> None:
    entries = sorted((name, number, stat.S_IFREG) for number, name in enumerate(names))
    counts, size = directory_blocks(name for name, _, _ in entries)
    content = list(directory_content(entries, counts))
    assert sum(map(len, content)) == size
    assert all(len(block) == 512 for block in content[:-1])
    assert sum(counts) == len(names)
