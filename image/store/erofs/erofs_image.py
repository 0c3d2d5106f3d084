"""Lay out the nodes of a layer as an EROFS image and write it, front to back.

Promise: equal nodes give equal bytes; the image is whole pages long (Linux 7.3 reads metadata page by page and takes a
short page for an I/O error); inodes of one directory lie together. Memory beyond the nodes is a few buffers. Writes
through the descriptor it is given and never syncs.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from image.store.erofs.chunk_map import BLOCK, BLOCK_BITS, Unsupported, chunk_count, chunk_indexes
from image.store.erofs.inode_format import (
    CHUNK_BASED,
    CHUNKS_BY_INDEX,
    FIRST_INODE,
    FLAT_INLINE,
    FLAT_PLAIN,
    INODE_BYTES,
    SLOT,
    SUPERBLOCK_OFFSET,
    device_number,
    directory_blocks,
    directory_content,
    inode,
    superblock,
    xattr_block,
)
from image.store.erofs.layer_nodes import Directory, Link, Node, Regular, Special

FORMAT = 1
"""Raised when older indexes must be made anew."""
_PAGE = max(4096, os.sysconf("SC_PAGE_SIZE"))
_BUFFER = 1 << 20
_MAX_BLOCKS = 1 << 32
_OPAQUE = {"trusted.overlay.opaque": b"y"}


def write_index(root: Directory, fd: int, tar_blocks: int) -> int:
    """Write the index of a tar of so many blocks; return its size in bytes.

    Raises:
        Unsupported: it would be too large.
        OSError: the disk is full or broken.
    """
    return _IndexWriter(root, fd).write(tar_blocks)


@dataclass(frozen=True, slots=True)
class _Shape:
    """The room that a node needs."""

    layout: int
    inline: int
    """Bytes behind inode and attributes."""
    blocks: int = 0
    padding: bytes = b""
    """What stands between attributes and chunk indexes, which start on a multiple of 8."""
    counts: tuple[int, ...] = ()
    """Entries in each block of a directory."""


_ONE_CHUNK = _Shape(CHUNK_BASED, 8)
_NOTHING = _Shape(FLAT_PLAIN, 0)


class _Stream:
    """Bytes at growing places of a file."""

    def __init__(self, fd: int, position: int) -> None:
        self._fd = fd
        self._start = position
        self._buffer = bytearray()
        self.digest = hashlib.sha256()

    @property
    def position(self) -> int:
        return self._start + len(self._buffer)

    def write(self, content: bytes, at: int) -> None:
        self._buffer += bytes(at - self.position)
        self._buffer += content
        if len(self._buffer) >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        self.digest.update(self._buffer)
        write_all(self._fd, self._buffer, self._start)
        self._start += len(self._buffer)
        self._buffer.clear()


def write_all(fd: int, content: bytes | bytearray, position: int) -> None:
    """Write all bytes at a place of a file."""
    with memoryview(content) as left:
        done = 0
        while done < len(left):
            done += os.pwrite(fd, left[done:], position + done)


class _IndexWriter:
    def __init__(self, root: Directory, fd: int) -> None:
        self._root = root
        self._fd = fd
        self._nodes: list[tuple[Node, bytes, _Shape]] = []

    def write(self, tar_blocks: int) -> int:
        end, blocks = self._lay_out()
        data_start = _aligned(end, BLOCK)
        if (data_start >> BLOCK_BITS) + blocks >= _MAX_BLOCKS:
            raise Unsupported("index is larger than block numbers reach")
        size = _aligned(data_start + blocks * BLOCK, _PAGE)
        inodes, data = _Stream(self._fd, FIRST_INODE), _Stream(self._fd, data_start)
        self._write_nodes(inodes, data, data_start >> BLOCK_BITS)
        inodes.flush()
        data.flush()
        head = superblock(
            root_nid=self._root.nid,
            inodes=len(self._nodes),
            blocks=size >> BLOCK_BITS,
            tar_blocks=tar_blocks,
            # overlayfs tells filesystems apart by uuid; one of the content keeps indexes reproducible.
            uuid=hashlib.sha256(inodes.digest.digest() + data.digest.digest()).digest()[:16],
        )
        write_all(self._fd, head, SUPERBLOCK_OFFSET)
        os.ftruncate(self._fd, size)
        return size

    def _lay_out(self) -> tuple[int, int]:
        """Give every node its place; return where inodes end and how many data blocks there are."""
        position, blocks = FIRST_INODE, 0
        for node in _in_order(self._root):
            xattrs = _xattrs(node)
            shape = _shape(node, xattrs)
            need = INODE_BYTES + len(xattrs) + shape.inline
            if shape.layout == FLAT_INLINE and position % BLOCK + need > BLOCK:
                position = _aligned(position, BLOCK)  # inline data must not cross a block
            node.nid = position // SLOT
            if shape.blocks and isinstance(node, Directory | Link):
                node.block = blocks
                blocks += shape.blocks
            position = _aligned(position + need, SLOT)
            self._nodes.append((node, xattrs, shape))
        return position, blocks

    def _write_nodes(self, inodes: _Stream, data: _Stream, first_block: int) -> None:
        for number, (node, xattrs, shape) in enumerate(self._nodes, 1):
            size, location, content = _content(node, shape, first_block)
            head = inode(
                shape.layout,
                len(xattrs),
                node.mode,
                size,
                location,
                number,
                node.uid,
                node.gid,
                node.mtime_ns,
                node.links,
            )
            cut = shape.blocks * BLOCK
            if cut:
                data.write(content[:cut].ljust(cut, b"\0"), location * BLOCK)
            inodes.write(head + xattrs + shape.padding + content[cut:], node.nid * SLOT)


def _in_order(root: Directory) -> Iterator[Node]:
    """Yield every node once, the children of a directory in a row, and count names and subdirectories."""
    root.links, root.parent = 2, root
    yield root
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        for child in directory.children.values():
            if isinstance(child, Directory):
                child.links, child.parent = 2, directory
                directory.links += 1
                waiting.append(child)
                yield child
                continue
            child.links += 1
            if child.links == 1:
                yield child


def _xattrs(node: Node) -> bytes:
    opaque: Mapping[str, bytes] = _OPAQUE if isinstance(node, Directory) and node.opaque else {}
    return xattr_block({**node.xattrs, **opaque}) if node.xattrs or opaque else b""


def _shape(node: Node, xattrs: bytes) -> _Shape:
    counts: tuple[int, ...] = ()
    match node:
        case Regular() if node.size:
            if not xattrs and node.size <= 1 << node.chunk_bits:
                return _ONE_CHUNK
            padding = bytes(-(INODE_BYTES + len(xattrs)) % 8)
            indexes = 8 * chunk_count(node.size, node.chunk_bits)
            return _Shape(CHUNK_BASED, len(padding) + indexes, padding=padding)
        case Directory():
            counts, size = directory_blocks(sorted((b".", b"..", *node.children)))
            tail = size % BLOCK
        case Link():
            size = tail = len(node.target)
        case _:
            return _NOTHING
    if tail and INODE_BYTES + len(xattrs) + tail <= BLOCK:
        blocks = size // BLOCK if isinstance(node, Directory) else 0
        return _Shape(FLAT_INLINE, tail, blocks, counts=counts)
    return _Shape(FLAT_PLAIN, 0, -(-size // BLOCK), counts=counts)


def _content(node: Node, shape: _Shape, first_block: int) -> tuple[int, int, bytes]:
    """Return the size of a node, what its inode says of the place, and the bytes to put there."""
    match node:
        case Regular() if node.size:
            indexes = chunk_indexes(node.size, node.chunk_bits, node.offset, node.segments)
            return node.size, CHUNKS_BY_INDEX | (node.chunk_bits - BLOCK_BITS), indexes
        case Directory():
            content = _directory(node, shape.counts)
        case Link():
            content = node.target
        case Special():
            return 0, device_number(*node.device), b""
        case _:
            return 0, 0, b""
    return len(content), first_block + node.block if shape.blocks else 0, content


def _directory(node: Directory, counts: tuple[int, ...]) -> bytes:
    above = node.parent or node
    entries = [(name, child.nid, child.mode) for name, child in node.children.items()]
    entries += [(b".", node.nid, node.mode), (b"..", above.nid, above.mode)]
    entries.sort()
    return b"".join(directory_content(entries, counts))


def _aligned(position: int, step: int) -> int:
    return -(-position // step) * step
