"""Extract the tar of one layer into its root directory.

Promise: each member ends inside the root, or the layer is refused; later members replace earlier ones; parents that
are missing are made; whiteouts become overlayfs' marks and never delete this layer's own entries. Set-id bits,
owners, times, hard links, devices and file capabilities are kept. Never follows the last component of a name.
"""

import errno
import os
import stat
from dataclasses import dataclass
from zlib import crc32

from image.host.extraction import Attributes, ExtractionRoot, clamp_time
from image.store.member_names import clean, link_target, named, shown
from image.store.tar_headers import TarError
from image.store.tar_stream import Kind, TarEntry, TarStream
from image.store.whiteouts import Whiteouts, deleted_path, is_aufs_record, is_opaque_mark

_NODES = {
    Kind.CHARACTER: stat.S_IFCHR,
    Kind.BLOCK: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
}
_HOSTILE = (
    errno.ELOOP,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.EISDIR,
    errno.ENOENT,
    errno.EINVAL,
    errno.EMLINK,
    errno.EFBIG,
    errno.EPERM,
    errno.E2BIG,
    errno.ERANGE,
)
"""What the kernel says to members that no honest archive has; others (disk full, I/O) are ours to report as such."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackLimits:
    """What one layer may ask of the filesystem."""

    max_entries: int = 2_000_000
    """Precedent: the largest public images hold about 500 000 files."""
    max_depth: int = 1024


class Unpacker:
    """Extract members one after the other and remember what must be settled against the layers below."""

    def __init__(
        self,
        root: ExtractionRoot,
        limits: UnpackLimits,
    ) -> None:
        self._root = root
        self._limits = limits
        self._entries = 0
        self.whiteouts = Whiteouts(opaque=root.replacing)
        self.sums: dict[int, int] = {}
        """CRC-32 of the content of files that are not sparse, by inode."""

    def run(self, stream: TarStream) -> None:
        """Extract every member, then read the stream to its end.

        Raises:
            TarError: the archive is malformed, hostile or beyond a limit; it names the member.
            OSError: the disk is full or broken.
        """
        for entry in stream:
            try:
                self._extract(entry, stream)
            except (TarError, ValueError) as error:
                raise TarError(f"{shown(entry.name)}: {error}") from error
            except OSError as error:
                if error.errno in _HOSTILE:
                    raise TarError(f"{shown(entry.name)}: {os.strerror(error.errno)}") from error
                raise
        stream.drain()

    def _extract(self, entry: TarEntry, stream: TarStream) -> None:
        self._count()
        path = clean(entry.name)
        entry.mtime_ns = clamp_time(entry.mtime_ns)
        if b".wh." not in path or not self._is_mark(path):
            self._make(path, entry, stream)

    def _count(self) -> None:
        self._entries += 1
        # Directories that no member describes count too.
        if max(self._entries, self._root.inodes) > self._limits.max_entries:
            raise TarError(f"layer has more than {self._limits.max_entries} entries")

    def _make(self, path: bytes, entry: TarEntry, stream: TarStream) -> None:
        match entry.kind:
            case Kind.FILE:
                self._make_file(path, entry, stream)
            case Kind.DIRECTORY:
                self._root.make_directory(path, _kept(entry))
            case Kind.SYMLINK:
                self._root.make_link(named(path), link_target(entry.link), entry)
            case Kind.HARD_LINK:
                self._root.make_hard_link(named(path), named(clean(entry.link)))
            case _ if entry.kind is Kind.CHARACTER and entry.major == entry.minor == 0:
                # overlayfs would read it as a whiteout: treat it as one, so that it is settled like one.
                self._delete(named(path))
            case _:
                device = os.makedev(entry.major, entry.minor)
                self._root.make_node(named(path), _NODES[entry.kind], device, entry)

    def _make_file(self, path: bytes, entry: TarEntry, stream: TarStream) -> None:
        fd = self._root.make_file(named(path), entry)
        try:
            if entry.segments is not None:
                self._write_sparse(fd, entry, stream)
                self.sums.pop(os.fstat(fd).st_ino, None)  # of a file that is gone
            else:
                crc = 0
                for piece in stream.pieces() if entry.size else ():
                    crc = crc32(piece, crc)
                    self._write(fd, piece)
                self.sums[os.fstat(fd).st_ino] = crc
        except BaseException:
            os.close(fd)
            raise
        self._root.finish_file(fd, entry)

    def _write(self, fd: int, piece: memoryview) -> None:
        while piece:
            piece = piece[os.write(fd, piece) :]

    def _write_sparse(self, fd: int, entry: TarEntry, stream: TarStream) -> None:
        data = stream.pieces()
        piece = memoryview(b"")
        for offset, length in entry.segments or ():
            os.lseek(fd, offset, os.SEEK_SET)
            while length:
                piece = piece or next(data)
                self._write(fd, piece[:length])
                written = min(length, len(piece))
                piece = piece[written:]
                length -= written
        os.ftruncate(fd, entry.size)

    def _is_mark(self, path: bytes) -> bool:
        if is_opaque_mark(path):
            # Its directory is made when no member has described it yet.
            canonical = self._root.canonical(path).rpartition(b"/")[0]
            self.whiteouts.opaque[canonical] = None
            return True
        if is_aufs_record(path):
            return True
        target = deleted_path(path)
        if target is None:
            return False
        self._delete(target)
        return True

    def _delete(self, path: bytes) -> None:
        kind = self._root.kind_of(path)
        canonical = self._root.canonical(path)
        if kind == stat.S_IFDIR:
            self.whiteouts.opaque[canonical] = None
        elif kind == 0:
            self._root.make_node(path, stat.S_IFCHR, 0, Attributes(mode=0))
            self.whiteouts.deleted[canonical] = None


def _kept(entry: TarEntry) -> Attributes:
    return Attributes(
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime_ns=entry.mtime_ns,
        xattrs=entry.xattrs,
    )
