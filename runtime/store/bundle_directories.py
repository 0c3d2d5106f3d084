"""Where the files of this instance are, and the making of its own directories.

`root` survives a reboot (writable layers, state.db), `state` is on tmpfs (bundles, pins, exit files). Directories are
0700 and repaired at start (security rule H2). It mounts nothing, and removes nothing: what is below a bundle may be
mounted, so removal belongs to the host.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ResourceExhausted, Unavailable

_PRIVATE = 0o700


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePaths:
    """Every path that Lading owns on a node, by object id."""

    root: Path
    state: Path
    containers_root: Path | None = None
    """Where writable layers are instead of below `root`: a directory that exists, perhaps of another filesystem."""

    @property
    def database(self) -> Path:
        """The state database."""
        return self.root / "state.db"

    @property
    def pods(self) -> Path:
        """Directories of pods on tmpfs."""
        return self.state / "pods"

    @property
    def pins(self) -> Path:
        """Pinned namespaces of all pods."""
        return self.state / "ns"

    @property
    def bundles(self) -> Path:
        """Bundles of all containers."""
        return self.state / "containers"

    @property
    def exits(self) -> Path:
        """Exit files, written by the monitors."""
        return self.state / "exits"

    @property
    def runtime_state(self) -> Path:
        """What the OCI runtimes keep, a directory each."""
        return self.state / "oci"

    @property
    def temporary(self) -> Path:
        """Short-lived files of the daemon and the monitors."""
        return self.state / "tmp"

    @property
    def layers(self) -> Path:
        """Writable layers of all containers."""
        return (self.containers_root or self.root) / "containers"

    def pod(self, sandbox_id: str) -> Path:
        """Return the directory of a pod; its files and shm are mounted below it."""
        return self.pods / sandbox_id

    def namespaces(self, sandbox_id: str) -> Path:
        """Return the directory of a pod's pins: `net`, `ipc`, `uts`, `pid`."""
        return self.pins / sandbox_id

    def bundle(self, container_id: str) -> Path:
        """Return the bundle of a container."""
        return self.bundles / container_id

    def rootfs(self, container_id: str) -> Path:
        """Return where a container's root filesystem is mounted."""
        return self.bundle(container_id) / "rootfs"

    def layer(self, container_id: str) -> Path:
        """Return the directory of a container's writable layer (`upper`, `work`)."""
        return self.layers / container_id

    def prepare(self) -> None:
        """Make the directories that are missing and take access from others where it was given.

        Raises:
            Unavailable: a directory cannot be made, is a link, or belongs to someone else.
        """
        if self.containers_root is not None and not self.containers_root.is_dir():
            # Made by us it would be on the disk that it was to spare, whenever its own is not mounted.
            raise Unavailable(
                f"directory {self.containers_root}",
                "is to hold writable layers and does not exist",
                remedy="mount or make it, or empty runtime.containers_root",
                reason="DirectoryMissing",
            )
        for directory in (self.root, self.state, *self._below()):
            _prepare_private(directory)

    def _below(self) -> tuple[Path, ...]:
        own = (self.pods, self.pins, self.bundles, self.exits, self.runtime_state, self.temporary)
        return (*own, self.layers)


def make_private(directory: Path) -> None:
    """Make one directory 0700 below a prepared one; an existing one is fine.

    Raises:
        ResourceExhausted: there is no space or no inode left.
        Unavailable: it cannot be made.
    """
    try:
        directory.mkdir(mode=_PRIVATE, exist_ok=True)
    except OSError as error:
        raise _refused(directory, error) from error


def names_in(directory: Path) -> frozenset[str]:
    """Return the names in a directory of ours, nothing when it does not exist."""
    try:
        with os.scandir(directory) as entries:
            return frozenset(entry.name for entry in entries)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise _refused(directory, error) from error


def _prepare_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise Unavailable(
                f"directory {directory}",
                "is a link or belongs to another user",
                remedy="move it away or choose another root or state directory",
                reason="ForeignDirectory",
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            directory.chmod(_PRIVATE)
    except OSError as error:
        raise _refused(directory, error) from error


def _refused(directory: Path, error: OSError) -> Unavailable | ResourceExhausted:
    cause = f"cannot be used: {error.strerror or type(error).__name__}"
    if error.errno in (28, 122):  # ENOSPC, EDQUOT
        return ResourceExhausted(f"directory {directory}", cause, reason="DiskFull")
    remedy = "start the daemon as root, or give it another directory"
    return Unavailable(f"directory {directory}", cause, remedy=remedy, reason="DirectoryUnusable")
