"""Create files below one root directory that a hostile tar describes.

Promise: nothing outside the root is created, changed or opened, whatever links the tree has grown; the last
component of a name is never followed; attributes are set on the object just made, through its descriptor or its
parent's. Directory attributes wait until `finish`, so that set-group-id, default ACLs and times of a directory do
not disturb what is created in it. Never decides what an entry means (`store.unpack_tar` does) and never syncs.
Single-threaded: nobody else may write below the root meanwhile.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from image.host.directory_cache import Directory, DirectoryCache
from image.host.openat2 import open_directory, open_in_root
from image.host.tree_removal import remove_tree

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TIME_LIMIT = 2**34 * 10**9
"""Seconds that ext4 with 256-byte inodes can hold (year 2446); the kernel clamps below that by itself."""


_MAX_HOPS = 40
"""Links on one path, as in path_resolution(7)."""
_MAX_STEPS = 4_000_000
"""Names walked one by one for one layer; an honest one needs one for each directory that it does not describe."""


class Described(Protocol):
    """Anything with the attributes of a file; a tar entry is one."""

    @property
    def mode(self) -> int:
        """Permission and set-id bits."""

    @property
    def uid(self) -> int:
        """Owner."""

    @property
    def gid(self) -> int:
        """Group."""

    @property
    def mtime_ns(self) -> int:
        """Time of the last change, which is also set as that of the last access."""

    @property
    def xattrs(self) -> Mapping[str, bytes]:
        """Extended attributes by full name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """Owner, mode, time and extended attributes of a directory, kept until the layer is finished."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


class ExtractionRoot:
    """The directory of one layer while it is filled. Paths are canonical: relative, cleaned, no `..`."""

    def __init__(self, root_fd: int, *, max_depth: int = 1024) -> None:
        self._root = root_fd
        self._cache = DirectoryCache(root_fd)
        self._uid, self._gid = os.geteuid(), os.getegid()
        # Only root can give files away; an unprivileged extraction (tests, rootless) keeps its own ids.
        self._owners = self._uid == 0
        self._max_depth = max_depth
        self._steps = 0
        # Removed directories stay in both: `finish` skips what is gone, and whoever makes one anew describes it anew.
        self._directories: dict[bytes, Attributes] = {b"": Attributes()}
        self.implied: dict[bytes, None] = {b"": None}
        """Directories that no entry described, in order of creation."""
        self.replacing: dict[bytes, None] = {}
        """Directories made where this layer had something else, or had deleted: what lies below does not show in them."""
        self.inodes = 1

    def close(self) -> None:
        """Close every cached descriptor; the root's own stays open."""
        self._cache.clear()

    def parent(self, path: bytes) -> tuple[Directory, bytes]:
        """Open the directory that `path` lies in, making what is missing; return it and the last component.

        Raises:
            OSError: ENOTDIR when a file is in the way, ELOOP or ENAMETOOLONG for hostile depths.
        """
        head, _, name = path.rpartition(b"/")
        directory = self._cache.find(head)
        if directory is None:
            directory = self._enter(head)
        return directory, name

    def _enter(self, path: bytes) -> Directory:
        if path.count(b"/") >= self._max_depth:
            raise OSError(errno.ENAMETOOLONG, "directories are nested too deeply")
        try:
            return self._cache.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return self._make_missing(path)

    def _make_missing(self, path: bytes) -> Directory:
        """Go up to what exists, then down again, making what is missing."""
        head, missing = path, []
        while True:
            head, _, name = head.rpartition(b"/")
            missing.append(name)
            try:
                above = self._cache.open(head)
            except (FileNotFoundError, NotADirectoryError):
                continue
            break
        self._walk(above.path, missing)
        return self._cache.open(path)

    def _walk(self, place: bytes, waiting: list[bytes]) -> None:
        """Go down from a canonical place by names, last one first, as path_resolution(7) has it with missing ones made.

        The kernel resolves only what is there: a link whose target this layer lacks has its target made, inside the root.
        """
        trail = place.split(b"/") if place else []
        hops = 0
        while waiting:
            part = waiting.pop()
            self._count_step(len(trail))
            if part in (b"", b"."):
                continue
            if part == b"..":
                del trail[-1:]
                continue
            target = self._step(b"/".join(trail), part)
            if target is None:
                trail.append(part)
                continue
            hops += 1
            if hops > _MAX_HOPS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith(b"/"):
                trail.clear()
            waiting += target.split(b"/")[::-1]

    def _count_step(self, depth: int) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS or depth > 2 * self._max_depth:
            raise OSError(errno.ELOOP, "links make paths too long")

    def _step(self, place: bytes, name: bytes) -> bytes | None:
        """Make a directory unless it is there; return the target of a link that has its name.

        A whiteout gives way: what the layer deletes and then fills is a directory of its own.
        """
        above = self._cache.open(place)
        try:
            os.mkdir(name, 0o700, dir_fd=above.fd)
        except FileExistsError:
            found = os.stat(name, dir_fd=above.fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                return None
            if stat.S_ISLNK(found.st_mode):
                return os.readlink(name, dir_fd=above.fd)
            if not is_whiteout(found):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
            os.unlink(name, dir_fd=above.fd)
            os.mkdir(name, 0o700, dir_fd=above.fd)
            self.replacing[above.child(name)] = None
        else:
            self.implied[above.child(name)] = None
        self.inodes += 1
        self._directories[above.child(name)] = Attributes()
        return None

    def make_file(self, path: bytes, attributes: Described) -> int:
        """Create a regular file in place of whatever had the name; return its descriptor, open for writing."""
        directory, name = self.parent(path)
        self.inodes += 1
        mode = attributes.mode & 0o777
        try:
            return os.open(name, _CREATE, mode, dir_fd=directory.fd)
        except FileExistsError:
            self.remove(path)
            return self.make_file(path, attributes)

    def finish_file(self, fd: int, attributes: Described) -> None:
        """Set what a finished file needs beyond its creation mode, then close it.

        The order matters: chown(2) clears set-id bits and file capabilities.
        """
        try:
            moved = self._owners and (attributes.uid != self._uid or attributes.gid != self._gid)
            if moved:
                os.fchown(fd, attributes.uid, attributes.gid)
            if moved or attributes.mode & 0o7000:
                os.fchmod(fd, attributes.mode)
            if attributes.xattrs:
                _set_xattrs(fd, attributes.xattrs)
            os.utime(fd, ns=(attributes.mtime_ns, attributes.mtime_ns))
        finally:
            os.close(fd)

    def make_directory(self, path: bytes, attributes: Attributes) -> bool:
        """Create a directory, or describe the existing one anew; return whether it is new."""
        if not path:
            self.implied.pop(b"", None)
            self._directories[b""] = attributes
            return False
        directory, name = self.parent(path)
        canonical = directory.child(name)
        self.implied.pop(canonical, None)
        try:
            os.mkdir(name, 0o700, dir_fd=directory.fd)
        except FileExistsError:
            if self.kind_of(path) == stat.S_IFDIR:
                self._directories[canonical] = attributes
                return False
            self.remove(path)
            self.replacing[canonical] = None
            return self.make_directory(path, attributes)
        self.inodes += 1
        self._directories[canonical] = attributes
        return True

    def make_link(self, path: bytes, target: bytes, attributes: Described) -> None:
        """Create a symbolic link; its target is text and is not looked at."""
        directory, name = self.parent(path)
        try:
            os.symlink(target, name, dir_fd=directory.fd)
        except FileExistsError:
            self.remove(path)
            return self.make_link(path, target, attributes)
        self.inodes += 1
        self._finish_name(directory.fd, name, attributes)
        return None

    def make_hard_link(self, path: bytes, target: bytes) -> None:
        """Give the existing `target` a second name; the target's last component is not followed."""
        source = self._existing(target)
        source_fd, source_name = (
            os.dup(source[0].fd),
            source[1],
        )  # removing `path` may empty the cache
        try:
            directory, name = self.parent(path)
            if directory.path == source[0].path and name == source_name:
                return
            if is_whiteout(os.stat(source_name, dir_fd=source_fd, follow_symlinks=False)):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            try:
                self._link(source_fd, source_name, directory.fd, name)
            except FileExistsError:
                self.remove(path)
                directory, name = self.parent(path)
                self._link(source_fd, source_name, directory.fd, name)
        finally:
            os.close(source_fd)

    def _existing(self, path: bytes) -> tuple[Directory, bytes]:
        head, _, name = path.rpartition(b"/")
        return self._cache.find(head) or self._cache.open(head), name

    @staticmethod
    def _link(source_fd: int, source: bytes, fd: int, name: bytes) -> None:
        os.link(source, name, src_dir_fd=source_fd, dst_dir_fd=fd, follow_symlinks=False)

    def make_node(self, path: bytes, kind: int, device: int, attributes: Described) -> None:
        """Create a device or a fifo; `kind` is the S_IFMT part."""
        directory, name = self.parent(path)
        try:
            os.mknod(name, kind | 0o600, device, dir_fd=directory.fd)
        except FileExistsError:
            self.remove(path)
            return self.make_node(path, kind, device, attributes)
        self.inodes += 1
        os.chmod(name, attributes.mode, dir_fd=directory.fd)
        self._finish_name(directory.fd, name, attributes)
        return None

    def _finish_name(self, fd: int, name: bytes, attributes: Described) -> None:
        if self._owners and (attributes.uid != self._uid or attributes.gid != self._gid):
            os.chown(name, attributes.uid, attributes.gid, dir_fd=fd, follow_symlinks=False)
            if attributes.mode & 0o7000 and not _is_link(fd, name):
                os.chmod(name, attributes.mode, dir_fd=fd)
        times = (attributes.mtime_ns, attributes.mtime_ns)
        os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)

    def kind_of(self, path: bytes) -> int:
        """Return the S_IFMT part of what has the name, 0 when nothing has."""
        directory, name = self.parent(path)
        try:
            found = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return stat.S_IFMT(found.st_mode)

    def canonical(self, path: bytes) -> bytes:
        """Return where a path really lies, its parents resolved and its last component not."""
        directory, name = self.parent(path)
        return directory.child(name)

    def remove(self, path: bytes) -> None:
        """Remove what has the name, with everything below it."""
        directory, name = self.parent(path)
        kind = self.kind_of(path)
        if kind == stat.S_IFDIR:
            remove_tree(directory.fd, name)
        else:
            os.unlink(name, dir_fd=directory.fd)
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            # Cached descriptors may lead through the removed directory or link.
            self._cache.clear()

    def describe(self, canonical: bytes, attributes: Attributes) -> None:
        """Replace the attributes that `finish` will give to a directory."""
        self._directories[canonical] = attributes

    def finish(self) -> None:
        """Give every directory its attributes, deepest first; call once, when nothing more is created."""
        self._cache.clear()
        for path, attributes in sorted(self._directories.items(), key=_depth, reverse=True):
            try:
                fd = open_directory(self._root, path)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    raise
                continue  # it or a parent was replaced by something else later in the tar
            self._finish_directory(fd, attributes)

    def _finish_directory(self, fd: int, attributes: Attributes) -> None:
        try:
            if self._owners:
                os.fchown(fd, attributes.uid, attributes.gid)
            _set_xattrs(fd, attributes.xattrs)
            os.fchmod(fd, attributes.mode)
            os.utime(fd, ns=(attributes.mtime_ns, attributes.mtime_ns))
        finally:
            os.close(fd)

    def unlink_whiteouts(self, paths: Iterable[bytes]) -> None:
        """Remove whiteouts by canonical path; what went with a directory above it, or was replaced, is left alone."""
        for path in paths:
            head, _, name = path.rpartition(b"/")
            try:
                fd = open_in_root(self._root, head, os.O_PATH | os.O_DIRECTORY, links=False)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    raise
                continue
            try:
                with contextlib.suppress(FileNotFoundError):
                    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if is_whiteout(found):
                        os.unlink(name, dir_fd=fd)
            finally:
                os.close(fd)


def is_whiteout(found: os.stat_result) -> bool:
    """Tell whether it is overlayfs' mark of a deletion: the character device 0:0."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def clamp_time(nanoseconds: int) -> int:
    """Bring a time into the range that utimensat(2) and every filesystem accept."""
    return max(-_TIME_LIMIT, min(_TIME_LIMIT, nanoseconds))


def _depth(item: tuple[bytes, Attributes]) -> tuple[int, int]:
    return item[0].count(b"/"), len(item[0])


def _is_link(fd: int, name: bytes) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)


def _set_xattrs(fd: int, xattrs: Mapping[str, bytes]) -> None:
    for name, value in xattrs.items():
        try:
            os.setxattr(fd, name, value)
        except OSError as error:
            # A filesystem may lack user attributes or ACLs; a file is of use without. File capabilities are not optional.
            if error.errno != errno.EOPNOTSUPP or name.startswith("security."):
                raise
