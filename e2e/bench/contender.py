"""A runtime under measurement: its daemon, its client, its processes.

Starts and stops daemons; measures nothing itself.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.bench.memory import command_of
from e2e.cri_client import Client
from e2e.daemon import Lading
from e2e.leftovers import own_processes
from e2e.reference_containerd import Containerd
from e2e.session import Session

NAMES = ("lading", "lading-runc", "lading-extract", "containerd")


@dataclass
class Contender:
    """One daemon with a client that stays connected."""

    name: str
    daemon: Lading | Containerd
    marks: list[str]
    client: Client

    def processes(self) -> set[int]:
        """Return the daemon, its children and everything that works on its folders."""
        marked = {pid for pid, _ in own_processes(self.marks)}
        return marked | descendants(self.daemon.process.pid)

    def waiting_workers(self) -> set[int]:
        """Return the processes that are kept for the next pull."""
        return {
            pid
            for pid in children(self.daemon.process.pid)
            if any("image.worker" in word for word in command_of(pid))
        }

    def time_start(self) -> float:
        """Restart the daemon and return the seconds from exec to its first Version answer."""
        self.client.close()
        self.daemon.stop()
        begin = time.perf_counter()
        self.daemon.process.start()
        wait_connectable(self.daemon.socket)
        self.client = self.daemon.client()
        while True:
            try:
                self.client.version(timeout=5.0)
            except Exception:
                if time.perf_counter() - begin > 30 or not self.daemon.process.running():
                    raise
                time.sleep(0.002)
                continue
            return time.perf_counter() - begin

    def close(self) -> None:
        """Remove every pod and end the daemon."""
        if self.daemon.process.running():
            self.client.remove_everything()
        self.client.close()
        self.daemon.stop()


def wait_connectable(path: Path, timeout: float = 30.0) -> None:
    """Wait until a Unix socket accepts, at far less cost than a gRPC attempt."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                time.sleep(0.001)
                continue
            return


def start_contender(name: str, session: Session) -> Contender:
    """Start one contender by name."""
    places = (session.workspace, session.network, session.registry.rules)
    daemon: Lading | Containerd
    if name == "containerd":
        daemon = Containerd(*places)
    else:
        handler = "runc" if name == "lading-runc" else "crun"
        daemon = Lading(*places, default_handler=handler, instance=name)
        daemon.section("log")["level"] = "info"
        if name == "lading-extract":
            daemon.section("image")["layer_store"] = "extract"
    workspace = session.workspace
    marks = [f"{workspace.disk}/{name}/", f"{workspace.memory}/{name}/"]
    daemon.start()
    return Contender(name, daemon, marks, daemon.client())


def children(root: int) -> set[int]:
    """Return the children of a process, at little cost on a machine with many (proc_pid_task_children(5))."""
    found: set[int] = set()
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            with suppress(OSError):
                found.update(map(int, (task / "children").read_text().split()))
    return found


def descendants(root: int) -> set[int]:
    """Return a process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found
