"""Find what a test left behind: processes, mounts, interfaces, addresses, firewall rules,
cgroups, files.

A snapshot holds only what carries the run's name, or (with the run's own namespaces) what is in
it: other work on the machine is never seen. `sweep` ends and removes exactly those things.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from e2e.cni import PodNetwork, rules_of
from e2e.private_namespaces import in_private_namespaces
from e2e.workspace import Workspace

POD_CGROUP = "pod-"
CGROUP_ROOT = Path("/sys/fs/cgroup")
OBJECT_ID = re.compile(r"[0-9a-f]{64}")
INTERFACE = re.compile(r"^\d+: ([^:@]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What belongs to the run at one moment, as printable names."""

    processes: frozenset[str]
    mounts: frozenset[str]
    interfaces: frozenset[str]
    addresses: frozenset[str]
    firewall_rules: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]

    def since(self, before: Snapshot) -> list[str]:
        """Return what is here now and was not before, one line each."""
        return [
            f"{field.name[:-1]}: {item}"
            for field in fields(self)
            for item in sorted(getattr(self, field.name) - getattr(before, field.name))
        ]


def take_snapshot(workspace: Workspace, network: PodNetwork, ids: Iterable[str] = ()) -> Snapshot:
    """Look at everything that carries the run's name or one of the object ids it was given."""
    marks = [workspace.name, *ids]
    return Snapshot(
        processes=frozenset(text for _, text in own_processes(marks)),
        mounts=frozenset(object_mounts(marks)),
        interfaces=frozenset(own_interfaces(network)),
        addresses=frozenset(network.lease_files()),
        firewall_rules=frozenset(" ".join(rule) for rule in rules_of(network.name)),
        cgroups=frozenset(own_cgroups(marks)),
        files=frozenset(object_files(workspace)),
    )


def own_processes(marks: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (pid, command line) of processes whose arguments, cgroups or mounts carry a mark."""
    this = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in this:
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            text = command + (entry / "cgroup").read_text()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            # A container's root mount names the run's folders even if the program hides its arguments.
            text += root_mount((entry / "mountinfo").read_text())
        except OSError:
            continue
        if state != "Z" and any(mark in text for mark in marks):
            yield int(entry.name), command.strip()[:200]


def root_mount(mountinfo: str) -> str:
    """Return the mountinfo line of `/`, which for an overlay holds its host directories."""
    return next((line for line in mountinfo.splitlines() if line.split()[4] == "/"), "")


def own_mounts(marks: list[str]) -> Iterator[str]:
    """Yield mount points of this mount namespace whose place carries a mark."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        if any(mark in place for mark in marks):
            yield place


def object_mounts(marks: list[str]) -> Iterator[str]:
    """Yield mount points without those of image layers, which stay as long as their image."""
    return (place for place in own_mounts(marks) if "/images/layers/" not in place)


def own_interfaces(network: PodNetwork) -> Iterator[str]:
    """Yield interfaces made by the run; the bridge itself stays by CNI's design and is not told."""
    done = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        found = INTERFACE.match(line)
        if found is None or found[1] in ("lo", network.bridge):
            continue
        if in_private_namespaces() or f"master {network.bridge}" in line:
            yield found[1]


def own_cgroups(marks: list[str]) -> Iterator[str]:
    """Yield cgroups of every hierarchy whose path carries a mark.

    The run's parent and the pods' own cgroups below it are not told: on a node they are the kubelet's,
    here they are removed by `remove_pod_cgroups`.
    """
    for folder, children, _ in os.walk(CGROUP_ROOT):
        for child in children:
            path = f"{folder}/{child}"
            if child == marks[0] or (folder.endswith(marks[0]) and child.startswith(POD_CGROUP)):
                continue
            if any(mark in path for mark in marks):
                yield path


def remove_pod_cgroups(workspace: Workspace) -> None:
    """Remove the pods' own cgroups, as the kubelet does after a pod."""
    for path in CGROUP_ROOT.glob(f"*/{workspace.name}/{POD_CGROUP}*"):
        with suppress(OSError):
            path.rmdir()


_BY_DIGEST = ("/blobs", "/layers", "/images/partial", "/content", "/registry")


def object_files(workspace: Workspace) -> Iterator[str]:
    """Yield files and folders named by a pod's or container's id, not looking inside them.

    Content that is named by digest (blobs, layers, unfinished downloads, containerd's ingest) is
    no object's and is skipped.
    """
    for base in (workspace.memory, workspace.disk):
        for folder, children, names in os.walk(base):
            if any(part in folder for part in _BY_DIGEST):
                children.clear()
                continue
            for name in (*children, *names):
                if OBJECT_ID.search(name):
                    yield f"{folder}/{name}"
            children[:] = [child for child in children if not OBJECT_ID.search(child)]


def wait_clean(
    before: Snapshot, workspace: Workspace, network: PodNetwork, ids: Iterable[str]
) -> list[str]:
    """Return what is left after a moment for processes that are ending; empty means clean."""
    deadline = time.monotonic() + 60.0
    while True:
        left = take_snapshot(workspace, network, ids).since(before)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def sweep(
    workspace: Workspace,
    network: PodNetwork,
    ids: Iterable[str] = (),
    spare: Snapshot | None = None,
) -> None:
    """End and remove everything of the run that is not in the snapshot to spare."""
    marks = [workspace.name, *ids]
    spared_processes = spare.processes if spare else frozenset()
    spared_mounts = set(own_mounts(marks)) - set(object_mounts(marks)) if spare else set()
    spared_mounts |= spare.mounts if spare else frozenset()
    for _ in range(3):
        for pid, text in own_processes(marks):
            if text not in spared_processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for place in sorted(set(own_mounts(marks)) - spared_mounts, reverse=True):
        subprocess.run(["umount", "-l", place], capture_output=True, check=False)
    for path in sorted(own_cgroups(marks), key=len, reverse=True):
        with suppress(OSError):
            Path(path).rmdir()
    remove_pod_cgroups(workspace)
    if spare is None:
        for parent in CGROUP_ROOT.glob(f"*/{workspace.name}"):
            with suppress(OSError):
                parent.rmdir()
    network.clean()
