"""The files of one layer in memory, built name by name as a tar gives them.

Pure. Promise: names resolve as below a root of their own: links on the way are followed inside the layer, `..` stops
at its root, and no name reaches anything else. Missing directories are made and marked as implied. Work is bounded
whatever links a hostile tar makes. Never touches the filesystem.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from image.store.sparse_maps import Segments
from image.store.tar_headers import TarError

_NO_XATTRS: Mapping[str, bytes] = {}
_MAX_HOPS = 40
"""Links on one path, as in path_resolution(7)."""
_MAX_STEPS = 50_000_000
"""Path components walked for one layer; an honest one needs a few for each of its directories."""
_CACHED = 4096


@dataclass(slots=True, eq=False)
class Node:
    """A file of any kind."""

    mode: int
    """With the S_IFMT bits."""
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=lambda: _NO_XATTRS)
    links: int = 0
    """Names that lead here; counted when the index is laid out."""
    nid: int = 0
    """Number of the 32-byte slot where its inode lies; given when the index is laid out."""


@dataclass(slots=True, eq=False)
class Regular(Node):
    """A regular file and the place of its data."""

    size: int = 0
    offset: int = 0
    """Byte in the tar."""
    segments: Segments | None = None
    """Map of a sparse file."""
    chunk_bits: int = 0


@dataclass(slots=True, eq=False)
class Link(Node):
    """A symbolic link."""

    target: bytes = b""
    block: int = 0


@dataclass(slots=True, eq=False)
class Special(Node):
    """A device, a fifo, or a whiteout: the character device 0:0 of overlayfs."""

    device: tuple[int, int] = (0, 0)

    @property
    def is_whiteout(self) -> bool:
        """Tell whether it deletes what layers below have at its name."""
        return stat.S_ISCHR(self.mode) and self.device == (0, 0)


@dataclass(slots=True, eq=False)
class Directory(Node):
    """A directory and what it holds."""

    children: dict[bytes, Node] = field(default_factory=dict)
    opaque: bool = False
    """It hides what the layers below hold there."""
    implied: bool = False
    """No member described it: it looks as it does below."""
    parent: "Directory | None" = field(default=None, repr=False)
    block: int = 0


class LayerNodes:
    """The tree of one layer. Paths are relative and clean: no `.`, `..` or empty part."""

    def __init__(self, *, max_depth: int) -> None:
        self.root = _implied()
        self.count = 1
        """Nodes made, replaced ones included."""
        self.whiteouts = 0
        """Whiteouts made, replaced ones included."""
        self._max_depth = max_depth
        self._steps = 0
        self._known: dict[bytes, Directory] = {b"": self.root}

    def find(self, path: bytes) -> Node | None:
        """Return what has the name, its last part not followed; directories on the way are made."""
        directory, name = self.parent(path)
        return directory.children.get(name)

    def parent(self, path: bytes) -> tuple[Directory, bytes]:
        """Return the directory that `path` lies in, making what is missing, and its last part.

        Raises:
            TarError: a file is in the way, links lead in circles, or names are too long or too deep.
        """
        head, _, name = path.rpartition(b"/")
        if len(name) > 255:
            raise TarError("name is longer than 255 bytes")
        return self._known.get(head) or self._enter(head), name

    def put(self, path: bytes, node: Node) -> None:
        """Give a name to a node, in place of whatever had it, with all below."""
        directory, name = self.parent(path)
        children = directory.children
        if name in children:
            self._leave(children[name], node)
        children[name] = node
        self.count += 1

    def _leave(self, old: Node, node: Node) -> None:
        if isinstance(old, Directory | Link):
            # Known directories may have been reached through it.
            self._known = {b"": self.root}
        if isinstance(node, Directory) and not isinstance(old, Directory):
            node.opaque = True  # what lies below was replaced, or deleted, before

    def white_out(self, path: bytes) -> None:
        """Delete a name of the layers below: what this layer itself has there stays."""
        directory, name = self.parent(path)
        found = directory.children.get(name)
        if isinstance(found, Directory):
            found.opaque = True
        elif found is None:
            directory.children[name] = Special(stat.S_IFCHR)
            self.count += 1
            self.whiteouts += 1

    def link(self, path: bytes, target: bytes) -> None:
        """Give an existing file a second name; nothing is made on the way to it, and its own name is left alone.

        Raises:
            TarError: there is no such file, or it is a directory.
        """
        head, _, name = target.rpartition(b"/")
        source = self._known.get(head) or self._walk(head, make=False)
        directory, own = self.parent(path)
        if directory is source and own == name:
            return
        found = source.children.get(name)
        if found is None or isinstance(found, Directory):
            raise TarError("hard link to nothing that can have one")
        if isinstance(found, Special) and found.is_whiteout:
            raise TarError("hard link to what the layer deletes")
        self.put(path, found)

    def directories(self) -> Iterator[tuple[bytes, Directory, bool]]:
        """Yield every directory with its path and whether a directory above it is opaque, parents first."""
        waiting = [(b"", self.root, False)]
        while waiting:
            path, directory, hidden = waiting.pop()
            yield path, directory, hidden
            below = hidden or directory.opaque
            waiting += [
                (path + b"/" + name if path else name, child, below)
                for name, child in directory.children.items()
                if isinstance(child, Directory)
            ]

    def _enter(self, path: bytes) -> Directory:
        if path.count(b"/") >= self._max_depth:
            raise TarError("directories are nested too deeply")
        above, _, name = path.rpartition(b"/")
        known = self._known.get(above)
        found = known.children.get(name) if known is not None else None
        directory = found if isinstance(found, Directory) else self._walk(path, make=True)
        if len(self._known) >= _CACHED:
            self._known = {b"": self.root}
        self._known[path] = directory
        return directory

    def _walk(self, path: bytes, *, make: bool) -> Directory:
        trail = [self.root]
        waiting = path.split(b"/")[::-1]
        hops = 0
        while waiting:
            part = waiting.pop()
            self._count_step(len(trail))
            if part in (b"", b"."):
                continue
            if part == b"..":
                del trail[max(1, len(trail) - 1) :]
                continue
            child = self._child(trail[-1], part, make=make)
            if isinstance(child, Directory):
                trail.append(child)
                continue
            hops += 1
            if hops > _MAX_HOPS:
                raise TarError("links lead in circles")
            if child.target.startswith(b"/"):
                del trail[1:]
            waiting += child.target.split(b"/")[::-1]
        return trail[-1]

    def _count_step(self, depth: int) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS or depth > 2 * self._max_depth:
            raise TarError("links of the layer make paths too long")

    def _child(self, directory: Directory, name: bytes, *, make: bool) -> "Directory | Link":
        if len(name) > 255:
            raise TarError("name is longer than 255 bytes")
        child = directory.children.get(name)
        if isinstance(child, Directory | Link):
            return child
        deleted = isinstance(child, Special) and child.is_whiteout
        if not make or not (child is None or deleted):
            raise TarError("a file, or nothing, is where a directory must be")
        made = directory.children[name] = _implied()
        made.opaque, made.implied = deleted, not deleted
        self.count += 1
        return made


def _implied() -> Directory:
    return Directory(stat.S_IFDIR | 0o755, implied=True)
