"""Read a layer's tar into nodes that remember where in the tar their data lies.

Promise: the outcome is what extraction (`store.unpack_tar`) would make of the same tar: later members replace earlier
ones, links on the way are followed inside the layer, whiteouts become overlayfs' marks. A malformed or hostile tar is a
TarError; a valid one that an index cannot express is Unsupported. Never reads file data, never touches the filesystem.
"""

import stat

from image.store.erofs.chunk_map import MAX_TAR_BYTES, Unsupported, chunk_bits
from image.store.erofs.inode_format import check_xattrs
from image.store.erofs.layer_nodes import Directory, LayerNodes, Link, Node, Regular, Special
from image.store.member_names import clean, link_target, named, shown
from image.store.tar_headers import TarError
from image.store.tar_stream import Kind, TarEntry, TarStream
from image.store.unpack_tar import UnpackLimits
from image.store.whiteouts import deleted_path, is_aufs_record, is_opaque_mark

_TIME_LIMIT = 2**34 * 10**9
"""Nanoseconds that extraction can keep (`host.extraction.clamp_time`), so that both stores show the same."""
_NODES = {Kind.CHARACTER: stat.S_IFCHR, Kind.BLOCK: stat.S_IFBLK, Kind.FIFO: stat.S_IFIFO}


class TarIndex:
    """Collects the members of one tar; `run` it once."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._entries = 0
        self.nodes = LayerNodes(max_depth=limits.max_depth)

    def run(self, stream: TarStream) -> None:
        """Take every member, then read the stream to its end.

        Raises:
            TarError: the archive is malformed, hostile or beyond a limit; it names the member.
            Unsupported: it has to be extracted.
        """
        for entry in stream:
            try:
                self._take(entry, stream)
            except (TarError, ValueError) as error:
                raise TarError(f"{shown(entry.name)}: {error}") from error
        stream.drain()
        if stream.offset > MAX_TAR_BYTES:
            raise Unsupported("tar is larger than block numbers reach")

    def _take(self, entry: TarEntry, stream: TarStream) -> None:
        self._entries += 1
        limit = self._limits.max_entries
        # Directories that no member describes count too.
        if self._entries > limit or self.nodes.count > limit:
            raise TarError(f"layer has more than {self._limits.max_entries} entries")
        path = clean(entry.name)
        if b".wh." in path and self._is_mark(path):
            return
        if entry.xattrs:
            check_xattrs(entry.xattrs)
        match entry.kind:
            case Kind.FILE:
                self.nodes.put(named(path), _regular(entry, stream.offset))
            case Kind.DIRECTORY:
                self._put_directory(path, entry)
            case Kind.SYMLINK:
                link = Link(*_attributes(stat.S_IFLNK, entry), target=link_target(entry.link))
                self.nodes.put(named(path), link)
            case Kind.HARD_LINK:
                self.nodes.link(named(path), named(clean(entry.link)))
            case _ if entry.kind is Kind.CHARACTER and entry.major == entry.minor == 0:
                self.nodes.white_out(named(path))
            case _:
                device = (entry.major, entry.minor) if entry.kind is not Kind.FIFO else (0, 0)
                node = Special(*_attributes(_NODES[entry.kind], entry), device=device)
                self.nodes.put(named(path), node)

    def _is_mark(self, path: bytes) -> bool:
        if is_opaque_mark(path):
            # Its directory is made when no member has described it yet.
            self.nodes.parent(path)[0].opaque = True
            return True
        if is_aufs_record(path):
            return True
        target = deleted_path(path)
        if target is None:
            return False
        self.nodes.white_out(target)
        return True

    def _put_directory(self, path: bytes, entry: TarEntry) -> None:
        attributes = _attributes(stat.S_IFDIR, entry)
        found: Node | None = self.nodes.find(path) if path else self.nodes.root
        if not isinstance(found, Directory):
            self.nodes.put(path, Directory(*attributes))
            return
        found.mode, found.uid, found.gid, found.mtime_ns, found.xattrs = attributes
        found.implied = False


def _regular(entry: TarEntry, offset: int) -> Regular:
    size = entry.size
    return Regular(
        stat.S_IFREG | entry.mode,
        entry.uid,
        entry.gid,
        _bounded(entry.mtime_ns),
        entry.xattrs,
        0,
        0,
        size,
        offset,
        entry.segments if size else None,
        chunk_bits(size, entry.segments) if size else 0,
    )


def _attributes(kind: int, entry: TarEntry) -> tuple[int, int, int, int, dict[str, bytes]]:
    # A link's mode is never looked at; Linux shows all of them as 0777 (symlink(7)).
    mode = 0o777 if kind == stat.S_IFLNK else entry.mode
    return (
        kind | mode,
        entry.uid,
        entry.gid,
        _bounded(entry.mtime_ns),
        entry.xattrs if kind in (stat.S_IFREG, stat.S_IFDIR) else {},
    )


def _bounded(mtime_ns: int) -> int:
    if -_TIME_LIMIT <= mtime_ns <= _TIME_LIMIT:
        return mtime_ns
    return _TIME_LIMIT if mtime_ns > 0 else -_TIME_LIMIT
