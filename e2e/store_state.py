"""What one private daemon has on disk, mounted and running for images: looked at, never changed.

Only what lies below the daemon's own root, or descends from its process, is seen.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cri.command.daemon_client import Daemon
from e2e.daemon import Lading
from e2e.leftovers import own_mounts

TABLES = ("images", "names", "layers", "image_layers", "uses")


@dataclass(frozen=True, kw_only=True)
class StoreState:
    """Everything that images have left."""

    files: frozenset[str]
    """Relative names of all files and directories but the database's own."""
    file_bytes: int
    mounts: frozenset[str]
    rows: tuple[int, ...]


def store_state(root: Path) -> StoreState:
    """Look at the store of a daemon's root directory."""
    images = root / "images"
    found: set[str] = set()
    size = 0
    for folder, children, names in os.walk(images):
        for name in (*children, *names):
            path = os.path.join(folder, name)
            if name.startswith("images.db"):
                continue
            try:
                size += os.lstat(path).st_blocks * 512
            except FileNotFoundError:
                continue
            found.add(os.path.relpath(path, images))
    return StoreState(
        files=frozenset(found),
        file_bytes=size,
        mounts=frozenset(own_mounts([f"{images}/"])),
        rows=rows_of(images / "images.db"),
    )


def rows_of(database: Path) -> tuple[int, ...]:
    """Count the rows of the tables that name content."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)
    try:
        counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in TABLES]
        return tuple(int(row[0]) for row in counts)
    finally:
        connection.close()


def damaged(daemon: Lading) -> list[dict[str, object]]:
    """Have the daemon look at every byte of its images; return what it calls damaged."""
    admin = Daemon(f"unix://{daemon.admin_socket}")
    lines = [line.fields for line in admin.watch("image/fsck")]
    assert lines[-1]["event"] == "done"
    return [dict(line) for line in lines if line["event"] == "damage"]


def cpu_seconds(daemon: Lading) -> float:
    """Return the processor time of a daemon and of its programs that have ended, workers included (proc(5))."""
    words = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def worker_pids(daemon: Lading) -> list[int]:
    """Return the processes that pull for a daemon."""
    return [pid for pid in descendants(daemon.process.pid) if is_worker(pid)]


def is_worker(pid: int) -> bool:
    """Tell whether a process is a pull worker; one that has ended is none."""
    try:
        return b"image.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Return the children of a process and theirs."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(above, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found
