"""Build a layer as its own tar with an EROFS index beside it: the `LayerBuilder` of mounted layers.

Promise: one pass over the stream writes the tar and learns what the index needs; memory grows with the number of files,
never with their size. What an index cannot express is extracted from the tar just written, so nothing is fetched twice.
After `settle` both files are durable. Needs no privilege unless it has to extract.
"""

import contextlib
import os
from pathlib import Path

from image.host.disk_usage import usage_of_entries
from image.host.durability import start_writeback, sync_directory
from image.store.below import Below, Questions
from image.store.erofs.chunk_map import BLOCK, Unsupported
from image.store.erofs.erofs_image import write_index
from image.store.erofs.layer_nodes import Directory, LayerNodes, Special
from image.store.erofs.tar_index import TarIndex
from image.store.layer_store import MAX_OPAQUE, LayerSummary
from image.store.layer_tree import LayerTree
from image.store.lower_view import ROOT
from image.store.tar_headers import TarError
from image.store.tar_stream import ByteSource, TarStream
from image.store.unpack_tar import UnpackLimits

KIND = "erofs"
UNINDEXED = "tar"
"""Kind of a layer that was stored only: an index cannot express it, and its builder may not extract it."""
TAR, INDEX = "tar", "index"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 18
_WRITEBACK = 1 << 25
"""Bytes after which the disk is told to begin, so that the fsync at the end finds little to do."""


class IndexedLayer:
    """One layer while it grows in `staged`, a directory of its own that does not exist yet."""

    def __init__(self, staged: Path, limits: UnpackLimits, *, extracts: bool = True) -> None:
        self._extracts = extracts
        self._unindexed = False
        staged.mkdir(mode=0o700, parents=True)
        self._staged = staged
        self._limits = limits
        self._tar = os.open(staged / TAR, _CREATE, 0o600)
        self._nodes: LayerNodes | None = None
        self._tree: LayerTree | None = None
        self._stored = 0

    def fill(self, source: ByteSource) -> None:
        """Store the tar and read its members."""
        tee = _Tee(source, self._tar)
        index = TarIndex(self._limits)
        try:
            index.run(TarStream(tee))
        except Unsupported:
            while tee.read_chunk():
                pass
            self._extract()
        else:
            self._nodes = index.nodes
        self._stored = tee.size

    def _extract(self) -> None:
        if not self._extracts:
            self._unindexed = True
            return
        self._tree = LayerTree(self._staged, self._limits)
        self._tree.fill(StoredTar(self._tar))

    def questions(self) -> Questions:
        """Return what must be known of the layers below."""
        if self._unindexed:
            return Questions()
        if self._tree is not None:
            return self._tree.questions()
        return questions_of(self._nodes) if self._nodes is not None else Questions()

    def settle(self, below: Below) -> LayerSummary | None:
        """Adjust to what lies below, write the index, and sync; None when it was extracted and has new questions."""
        if self._unindexed:
            os.fsync(self._tar)
            return LayerSummary(kind=UNINDEXED)
        if self._tree is None and self._nodes is not None:
            try:
                return self._settle_index(self._nodes, below)
            except Unsupported:
                self._extract()
                return None
        if self._tree is None:
            raise TarError("layer was never filled")
        summary = self._tree.settle(below)
        for name in (TAR, INDEX):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._staged / name)
        return summary

    def _settle_index(self, nodes: LayerNodes, below: Below) -> LayerSummary:
        opaque = adjust_to_lowers(nodes, below)
        # The kernel reads whole blocks; an archiver may have left out the last padding.
        os.ftruncate(self._tar, -(-self._stored // BLOCK) * BLOCK)
        start_writeback(self._tar)
        write_index_file(self._staged, nodes, self._stored)
        os.fsync(self._tar)
        os.mkdir(self._staged / ROOT, 0o700)
        sync_directory(self._staged)
        used, inodes = usage_of_entries(self._staged)
        return LayerSummary(kind=KIND, opaque=opaque, used_bytes=used, inodes=inodes)

    def close(self) -> None:
        """Close all descriptors."""
        if self._tree is not None:
            self._tree.close()
        os.close(self._tar)


def questions_of(nodes: LayerNodes) -> Questions:
    """Return what `adjust_to_lowers` will ask: of implied directories, and of whiteouts that may hide something."""
    directories, names = [], []
    for path, directory, hidden in nodes.directories():
        if directory.implied and not hidden:
            directories.append(path)
        if nodes.whiteouts and not (hidden or directory.opaque):
            names += [_joined(path, name) for name in _whiteouts_in(directory)]
    return Questions(tuple(directories), tuple(names))


def adjust_to_lowers(nodes: LayerNodes, below: Below) -> tuple[str, ...]:
    """Let implied directories look as below, drop whiteouts of nothing, and return the opaque directories.

    The same is done to extracted layers, for the same reasons (`layer_tree`).
    """
    opaque = []
    for path, directory, hidden in nodes.directories():
        if directory.opaque:
            opaque.append(path.decode("latin-1"))
        if directory.implied and not hidden:
            _look_as_below(directory, path, below)
        if nodes.whiteouts:
            _drop_idle_whiteouts(directory, path, below, hidden=hidden or directory.opaque)
    if len(opaque) > MAX_OPAQUE:
        raise TarError(f"layer has more than {MAX_OPAQUE} opaque directories")
    return tuple(opaque)


def _look_as_below(directory: Directory, path: bytes, below: Below) -> None:
    found = below.directory_attributes(path)
    if found is not None:
        directory.mode = directory.mode & ~0o7777 | found.mode
        directory.uid, directory.gid = found.uid, found.gid
        directory.mtime_ns, directory.xattrs = found.mtime_ns, found.xattrs


def _drop_idle_whiteouts(directory: Directory, path: bytes, below: Below, *, hidden: bool) -> None:
    for name in _whiteouts_in(directory):
        if hidden or not below.exists(_joined(path, name)):
            del directory.children[name]


def _whiteouts_in(directory: Directory) -> list[bytes]:
    return [n for n, c in directory.children.items() if isinstance(c, Special) and c.is_whiteout]


def _joined(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name


def write_index_file(directory: Path, nodes: LayerNodes, tar_bytes: int) -> None:
    """Write the index of a tar durably into its directory."""
    path = directory / INDEX
    fd = os.open(path, _CREATE, 0o600)
    try:
        write_index(nodes.root, fd, -(-tar_bytes // BLOCK))
        os.fsync(fd)
    finally:
        os.close(fd)


class StoredTar:
    """A stored tar as a source, from its begin."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def read_chunk(self) -> bytes:
        """Return the next bytes."""
        chunk = os.pread(self._fd, _CHUNK, self._position)
        self._position += len(chunk)
        return chunk


class _Tee:
    """Hand chunks on and keep them in a file."""

    def __init__(self, source: ByteSource, fd: int) -> None:
        self._source = source
        self._fd = fd
        self._begun = 0
        self.size = 0

    def read_chunk(self) -> bytes:
        chunk = self._source.read_chunk()
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._fd, left) :]
        self.size += len(chunk)
        if self.size - self._begun >= _WRITEBACK:
            start_writeback(self._fd, self._begun, self.size - self._begun)
            self._begun = self.size
        return chunk
