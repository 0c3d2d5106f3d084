"""The on-disk forms of EROFS that an index needs: superblock, device slot, extended inodes, xattrs, directory blocks.

Pure: values in, bytes out; little endian. Promise: only what Linux 6.12 and later read is written, and what does not fit
a field is Unsupported. Layouts: fs/erofs/erofs_fs.h of the kernel.
"""

import stat
import struct
from collections.abc import Iterable, Mapping, Sequence

from image.store.erofs.chunk_map import BLOCK, BLOCK_BITS, Unsupported

SUPERBLOCK_OFFSET = 1024
FIRST_INODE = 1536
"""Behind superblock and device slot, on a block of its own."""
SLOT = 32
"""Inodes start on slots; a nid is the number of one."""
INODE_BYTES = 64

FLAT_PLAIN, FLAT_INLINE, CHUNK_BASED = 0, 2, 4
"""EROFS_INODE_*: data in blocks; its tail behind the inode; chunk indexes behind the inode."""
CHUNKS_BY_INDEX = 0x20
"""EROFS_CHUNK_FORMAT_INDEXES: 8-byte indexes with a device number, not bare block numbers."""

_MAGIC = 0xE0F5E1E2
_COMPAT_MTIME = 2
_INCOMPAT_CHUNKED_FILE, _INCOMPAT_DEVICE_TABLE = 4, 8
_SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sIHHHBBIQ24x")
_DEVICE = struct.Struct("<64sII56x")
_INODE = struct.Struct("<HHHHQIIIIqII16x")
_DIRENT = struct.Struct("<QHBx")
_XATTR = struct.Struct("<BBH")
_XATTR_HEADER = bytes(12)
_XATTR_PREFIXES = (
    ("user.", 1),
    ("trusted.", 4),
    ("security.", 6),
)
_WHOLE_XATTRS = {"system.posix_acl_access": 2, "system.posix_acl_default": 3}
_MAX_XATTR_BYTES = 65_536
"""Of one inode. ext4 keeps less, so what is above could not be copied up."""
_DIRENT_TYPES = {
    stat.S_IFREG: 1,
    stat.S_IFDIR: 2,
    stat.S_IFCHR: 3,
    stat.S_IFBLK: 4,
    stat.S_IFIFO: 5,
    stat.S_IFSOCK: 6,
    stat.S_IFLNK: 7,
}


def superblock(*, root_nid: int, inodes: int, blocks: int, tar_blocks: int, uuid: bytes) -> bytes:
    """Return everything from the superblock to the first inode.

    The tar's blocks are numbered from the end of the index, so that a mount without the tar reads nothing instead of
    showing the index as file data. The checksum is left out: it is optional, and erofs-utils before 1.9 fail on it.
    """
    assert len(uuid) == 16
    head = _SUPERBLOCK.pack(
        _MAGIC,
        0,
        _COMPAT_MTIME,
        BLOCK_BITS,
        0,
        root_nid,
        inodes,
        0,
        0,
        blocks,
        0,
        0,
        uuid,
        b"",
        _INCOMPAT_CHUNKED_FILE | _INCOMPAT_DEVICE_TABLE,
        0,
        1,
        (SUPERBLOCK_OFFSET + 128) // 128,
        0,
        0,
        0,
        0,
    )
    return (head + _DEVICE.pack(b"", tar_blocks, blocks)).ljust(
        FIRST_INODE - SUPERBLOCK_OFFSET, b"\0"
    )


def inode(
    layout: int,
    xattr_bytes: int,
    mode: int,
    size: int,
    location: int,
    number: int,
    uid: int,
    gid: int,
    mtime_ns: int,
    links: int,
) -> bytes:
    """Return an extended inode; `location` is a block, a device number or a chunk format."""
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    return _INODE.pack(
        1 | layout << 1,
        (xattr_bytes - 12) // 4 + 1 if xattr_bytes else 0,
        mode,
        0,
        size,
        location,
        number,
        uid,
        gid,
        seconds,
        nanoseconds,
        links,
    )


def device_number(major: int, minor: int) -> int:
    """Return the kernel's 32-bit form of a device number (new_encode_dev in include/linux/kdev_t.h)."""
    return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12


def xattr_block(xattrs: Mapping[str, bytes]) -> bytes:
    """Return the inline attributes of an inode, nothing when it has none."""
    entries = [_xattr(name, value) for name, value in xattrs.items()]
    return _XATTR_HEADER + b"".join(entries) if entries else b""


def check_xattrs(xattrs: Mapping[str, bytes]) -> None:
    """See to it that attributes mean the same here as when they are set on a file.

    Raises:
        Unsupported: they are too large, or the kernel would refuse to set them.
    """
    for name, value in xattrs.items():
        if name in _WHOLE_XATTRS and not _is_acl(value):
            raise Unsupported(f"{name} is malformed")
        if name == "security.capability" and not _is_capability(value):
            raise Unsupported(f"{name} is malformed")
        if len(value) > 0xFFFF:
            raise Unsupported("extended attribute is too large")
    if len(xattr_block(xattrs)) > _MAX_XATTR_BYTES:
        raise Unsupported("extended attributes are too large")


def _is_acl(value: bytes) -> bool:
    # struct posix_acl_xattr_header and _entry, include/uapi/linux/posix_acl_xattr.h
    return len(value) % 8 == 4 and value[:4] == b"\2\0\0\0"


def _is_capability(value: bytes) -> bool:
    # struct vfs_cap_data, include/uapi/linux/capability.h: revision 2 has 20 bytes, revision 3 24.
    return value[3:4] in (b"\2", b"\3") and len(value) == (20 if value[3:4] == b"\2" else 24)


def _xattr(name: str, value: bytes) -> bytes:
    index, rest = _split(name)
    raw = rest.encode("utf-8", "surrogateescape")
    if len(raw) > 255:
        raise Unsupported("name of an extended attribute is too long")
    entry = _XATTR.pack(len(raw), index, len(value)) + raw + value
    return entry + bytes(-len(entry) % 4)


def _split(name: str) -> tuple[int, str]:
    if name in _WHOLE_XATTRS:
        return _WHOLE_XATTRS[name], ""
    for prefix, index in _XATTR_PREFIXES:
        if name.startswith(prefix) and name != prefix:
            return index, name[len(prefix) :]
    raise Unsupported("extended attribute has a prefix that an index cannot hold")


def directory_blocks(names: Iterable[bytes]) -> tuple[tuple[int, ...], int]:
    """Say how many of the sorted names go into each block, and how many bytes the directory has.

    Blocks are filled as far as they go: 12 bytes and the name for each.
    """
    counts: list[int] = []
    count = used = 0
    for name in names:
        need = _DIRENT.size + len(name)
        if used + need > BLOCK:
            counts.append(count)
            count = used = 0
        count += 1
        used += need
    counts.append(count)
    return tuple(counts), BLOCK * (len(counts) - 1) + used


def directory_content(
    entries: Sequence[tuple[bytes, int, int]], counts: Sequence[int]
) -> Iterable[bytes]:
    """Yield the blocks of a directory: (name, nid, mode) in order of the names; the last may be short."""
    start = 0
    for number, count in enumerate(counts, 1):
        part = entries[start : start + count]
        start += count
        place = _DIRENT.size * count
        heads = []
        for name, nid, mode in part:
            heads.append(_DIRENT.pack(nid, place, _DIRENT_TYPES[stat.S_IFMT(mode)]))
            place += len(name)
        block = b"".join((*heads, *(entry[0] for entry in part)))
        yield block if number == len(counts) else block.ljust(BLOCK, b"\0")
