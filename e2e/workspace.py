"""The private places of one test run: a name, a folder on disk, a folder in memory, a cgroup
parent.

The name is in every path, bridge and cgroup of the run, so that what belongs to the run can be told
from everything else on a busy machine. Makes and removes these places; starts nothing.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Names and folders of one run."""

    name: str
    disk: Path
    """Survives what a reboot survives: roots of daemons, registry data, logs."""
    memory: Path
    """On tmpfs, as /run is on a node: state folders and sockets."""

    @property
    def bridge(self) -> str:
        """The bridge of the run's pods; fits the 15 characters of an interface name."""
        return f"{self.name}0"

    @property
    def cgroup_parent(self) -> str:
        """The cgroup below which every pod of the run is put."""
        return f"/{self.name}"

    def folder(self, name: str) -> Path:
        """Return a folder on disk, made if absent."""
        path = self.disk / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def memory_folder(self, name: str) -> Path:
        """Return a folder in memory, made if absent."""
        path = self.memory / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def remove(self) -> None:
        """Remove both folders; whoever mounted something below has unmounted it before."""
        for path in (self.memory, self.disk):
            # Images of tests are a thousand directories deep, more than Python's own removal goes.
            subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=False)


def make_workspace() -> Workspace:
    """Return a new workspace with empty folders."""
    name = "le" + secrets.token_hex(4)
    in_memory = Path("/dev/shm")
    disk = Path(tempfile.mkdtemp(prefix=f"lading-{name}-"))
    base = in_memory if in_memory.is_dir() else Path("/run")
    memory = base / f"lading-{name}"
    memory.mkdir()
    # Roots of pods with a user namespace lie below; what must be closed, the daemons close themselves.
    for path in (disk, memory):
        path.chmod(0o755)
    return Workspace(name=name, disk=disk, memory=memory)
