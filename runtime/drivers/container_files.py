"""What the driver keeps about a container in its bundle, so that a restarted daemon can take it up.

One small JSON file on tmpfs, written once after create. Also knows which files of a bundle are the driver's.
"""

import json
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.drivers.monitor import (
    ATTACH_SOCKET,
    CONTROL_FIFO,
    MONITOR_PID_FILE,
    OOM_FILE,
    PID_FILE,
    RUNTIME_LOG,
)
from runtime.spec.cgroups_path import filesystem_cgroup

_LIMITING = frozenset(("cpu", "memory", "pids", "devices"))
CONFIG = "config.json"
_NOTES = "driver.json"
_OWN_FILES = (
    CONFIG,
    _NOTES,
    RUNTIME_LOG,
    PID_FILE,
    f".{PID_FILE}",  # runc's, before it gets its name
    MONITOR_PID_FILE,
    OOM_FILE,
    CONTROL_FIFO,
    ATTACH_SOCKET,
    "winsz",
    "exit",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerNotes:
    """Facts that nothing else remembers once the first process is gone."""

    log_path: str = ""
    cgroup: str = ""
    """Path below the hierarchies' roots; empty when it is not the container's own."""


def write_config(bundle: Path, spec: Mapping[str, object]) -> None:
    """Write the OCI spec where runtime and monitor look for it."""
    (bundle / CONFIG).write_bytes(json.dumps(spec).encode())


def write_notes(bundle: Path, notes: ContainerNotes) -> None:
    """Keep the notes."""
    (bundle / _NOTES).write_bytes(json.dumps(asdict(notes)).encode())


def read_notes(bundle: Path) -> ContainerNotes:
    """Return the notes, empty ones when there are none or they cannot be read."""
    try:
        document: object = json.loads((bundle / _NOTES).read_bytes())
    except (OSError, ValueError):
        return ContainerNotes()
    if not isinstance(document, dict):
        return ContainerNotes()
    log_path, cgroup = document.get("log_path", ""), document.get("cgroup", "")
    return ContainerNotes(log_path=str(log_path), cgroup=str(cgroup))


def remove_files(bundle: Path) -> None:
    """Remove the driver's files from a bundle; the directory stays its maker's. Idempotent."""
    for name in _OWN_FILES:
        with suppress(OSError):
            (bundle / name).unlink()
    for leftover in bundle.glob("exec-*"):
        with suppress(OSError):
            leftover.unlink()


def planned_cgroup(bundle: Path, id: str) -> str:
    """Return the cgroup that a half-made container was to get, empty unless it can only be this container's.

    That is so only when the container's id is part of the last name. systemd's form is answered as systemd places it.
    """
    try:
        spec: object = json.loads((bundle / CONFIG).read_bytes())
    except (OSError, ValueError):
        return ""
    linux = spec.get("linux") if isinstance(spec, dict) else None
    path = linux.get("cgroupsPath") if isinstance(linux, dict) else None
    path = filesystem_cgroup(path) if isinstance(path, str) else ""
    if not path.startswith("/") or ".." in path.split("/"):
        return ""
    return posixpath.normpath(path) if id in posixpath.basename(path) else ""


def misplaced_controllers(pid: int, cgroup: str) -> tuple[str, ...]:
    """Return the controllers that limit a process in another cgroup than this one (security rule H4).

    On v1 each limiting controller has a hierarchy, and a runtime that misses one leaves the container unlimited there;
    on v2 (answered as `unified`) there is one for all, which matters only where no limiting controller is on v1.
    """
    places = dict(_cgroup_lines(f"/proc/{pid}/cgroup"))
    limiting = {
        name: path
        for controllers, path in places.items()
        for name in controllers.split(",")
        if name in _LIMITING
    }
    if not limiting:
        limiting = {"unified": places.get("", "")}
    return tuple(sorted(name for name, path in limiting.items() if path != cgroup))


def cgroup_of(pid: int) -> str:
    """Return a container's cgroup: that of its memory controller, on v2 the only one; empty when it has none of its own.

    The daemon's own cgroup, or one above it, is never answered: callers kill what is in there.
    """
    path = _cgroup_path(f"/proc/{pid}/cgroup")
    own = _cgroup_path("/proc/self/cgroup")
    return "" if (own + "/").startswith(path.rstrip("/") + "/") else path


def _cgroup_path(file: str) -> str:
    unified = ""
    for controllers, path in _cgroup_lines(file):
        if "memory" in controllers.split(","):
            return path
        if not controllers:
            unified = path
    return unified


def _cgroup_lines(file: str) -> Iterator[tuple[str, str]]:
    """Yield controllers and path of each hierarchy; none of a process that is gone."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        yield controllers, path
