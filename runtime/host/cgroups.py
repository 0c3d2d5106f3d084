"""Read, kill and remove cgroups of either version (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).

OCI runtimes make the cgroups of containers; here they are read, emptied and removed. Each function takes the layout and
a path below the hierarchies' roots. Blocking: cgroupfs never waits for a disk, but memory.stat may take a millisecond.
"""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runtime.formats.cgroup_stats import V1_FILES, V2_FILES, oom_kills, usage_v1, usage_v2
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.processes import identify, send_signal
from runtime.records.resources import CgroupUsage

_FILE_LIMIT = 64 * 1024
_PROCS_LIMIT = 1 << 20
_POLL_SECONDS = 0.005


def read_usage(layout: CgroupLayout, cgroup: str) -> CgroupUsage | None:
    """Return a cgroup's use now, None when it is gone."""
    files: dict[str, str] = {}
    now = time.time_ns()
    wanted = V1_FILES if layout.version == 1 else tuple(("", name) for name in V2_FILES)
    for controller, name in wanted:
        directory = layout.directory(controller, cgroup)
        content = _read(directory / name) if directory else None
        if content is not None:
            files[name] = content
    if not files:
        return None
    return usage_v1(files, now) if layout.version == 1 else usage_v2(files, now)


def read_oom_kills(layout: CgroupLayout, cgroup: str) -> int | None:
    """Return how often the kernel killed in this cgroup for want of memory, None when it is gone."""
    name = "memory.oom_control" if layout.version == 1 else "memory.events"
    directory = layout.directory("memory", cgroup)
    content = _read(directory / name) if directory else None
    return None if content is None else oom_kills({name: content})


def list_processes(layout: CgroupLayout, cgroup: str) -> set[int]:
    """Return the pids in a cgroup and below it, in any hierarchy."""
    found: set[int] = set()
    for directory in layout.directories(cgroup):
        for place in _tree(directory):
            content = _read(place / "cgroup.procs", _PROCS_LIMIT)
            found.update(int(word) for word in (content or "").split() if word.isdigit())
    found.discard(0)  # how a process of an outer pid namespace is shown
    return found


def kill_all(layout: CgroupLayout, cgroup: str) -> int:
    """SIGKILL everything in a cgroup and below; return how many were signalled (0: it is empty).

    Version 2 does it in one write (cgroup.kill, Linux 5.14). Otherwise the tree is frozen first, so that nothing can
    fork away while it is killed; call again until it answers 0.
    """
    remaining = list_processes(layout, cgroup)
    if not remaining:
        return 0
    if layout.version == 2 and layout.unified is not None:
        directory = layout.directory("", cgroup)
        if directory is not None and _write(directory / "cgroup.kill", "1"):
            return len(remaining)
    freezer = layout.directory("freezer", cgroup)
    if freezer is not None and layout.version == 1:
        _write(freezer / "freezer.state", "FROZEN")
    try:
        for pid in list_processes(layout, cgroup):
            _kill_if_member(layout, cgroup, pid)
    finally:
        # A frozen process takes its SIGKILL when thawed (freezer-subsystem.rst); this also ends a CRI pause.
        if freezer is not None and layout.version == 1:
            _write(freezer / "freezer.state", "THAWED")
    return len(remaining)


def end_members(layout: CgroupLayout, cgroup: str, *, seconds: float) -> bool:
    """SIGKILL everything in a cgroup but this process, and wait until it is gone; False if that takes longer.

    For a cgroup that a thread of ours may be in: nothing is frozen.
    """
    until = time.monotonic() + seconds
    while others := list_processes(layout, cgroup) - {os.getpid()}:
        for pid in others:
            _kill_if_member(layout, cgroup, pid)
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def remove(layout: CgroupLayout, cgroup: str) -> bool:
    """Remove a cgroup from every hierarchy, children first; False while something in it still lives.

    Raises:
        OSError: the kernel refused for another reason.
    """
    complete = True
    for directory in layout.directories(cgroup):
        for place in sorted(_tree(directory), key=lambda path: len(path.parts), reverse=True):
            try:
                os.rmdir(place)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise
                complete = False
    return complete


def add_process(layout: CgroupLayout, cgroup: str, pid: int) -> None:
    """Make a cgroup where it is missing and move a process there, in every hierarchy.

    Raises:
        OSError: the kernel refused.
    """
    for directory in make(layout, cgroup):
        with open(directory / "cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))


def make(layout: CgroupLayout, cgroup: str) -> tuple[Path, ...]:
    """Make a cgroup in every hierarchy and return its directories; existing ones are left as they are."""
    directories = layout.directories(cgroup)
    for directory in directories:
        os.makedirs(directory, exist_ok=True)
    _inherit_cpuset(layout, cgroup)
    return directories


def _inherit_cpuset(layout: CgroupLayout, cgroup: str) -> None:
    # A new v1 cpuset has no CPU and no memory node, and takes no process until it has (cpusets.rst section 1.9).
    leaf = layout.directory("cpuset", cgroup) if layout.version == 1 else None
    if leaf is None:
        return
    for depth in range(len(Path(cgroup.strip("/")).parts) - 1, -1, -1):
        place = leaf.parents[depth - 1] if depth else leaf
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (_read(place / name) or "").strip():
                _write(place / name, (_read(place.parent / name) or "").strip())


def _kill_if_member(layout: CgroupLayout, cgroup: str, pid: int) -> None:
    # The list may be older than the process that has the number now: take its identity, then look where it is.
    process = identify(pid)
    if process is None or not _is_member(pid, cgroup):
        return
    with suppress(OSError):
        send_signal(process, signal.SIGKILL)


def _is_member(pid: int, cgroup: str) -> bool:
    wanted = "/" + cgroup.strip("/") + "/"
    for line in (_read(Path(f"/proc/{pid}/cgroup")) or "").splitlines():
        # hierarchy-ID:controllers:path (cgroups(7)); `in`, for paths may start at a cgroup namespace's root.
        if wanted in line.split(":", 2)[-1] + "/":
            return True
    return False


def _tree(directory: Path) -> Iterator[Path]:
    # The directory itself, then all below; nothing when it is gone.
    if directory.is_dir():
        for folder, _, _ in os.walk(directory):
            yield Path(folder)


def _read(path: Path, limit: int = _FILE_LIMIT) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("ascii", "replace")
    except OSError:
        # Gone, or ENODEV while it is being removed, or EOPNOTSUPP of a v1 file: not told either way.
        return None


def _write(path: Path, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, text.encode())
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
