"""Which cgroup hierarchies this host has: version 1, 2 or hybrid, and where a cgroup's directories are.

Read once at start from mountinfo; hierarchies are not mounted while a node runs. Also answers what crun will think of
the layout, which decides whether it can be used. Mounts and changes nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InvalidArgument, Unavailable
from runtime.formats.mountinfo import MountEntry, cgroup_hierarchies

MODE_V1, MODE_HYBRID, MODE_V2 = "v1", "hybrid", "v2"

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True, slots=True)
class CgroupLayout:
    """The hierarchies of this host."""

    mode: str
    """`v1`, `hybrid` (v1 with a v2 hierarchy beside it) or `v2`."""
    controllers: tuple[tuple[str, Path], ...]
    """v1: (controller or `name=systemd`, mount point), sorted."""
    unified: Path | None
    """Where version 2 is mounted."""
    unified_controllers: tuple[str, ...]
    """Controllers that version 2 has at its root."""

    @property
    def version(self) -> int:
        """2 when containers are confined by version 2, else 1."""
        return 2 if self.mode == MODE_V2 else 1

    @property
    def effective_controllers(self) -> tuple[str, ...]:
        """Controllers that containers can be limited by."""
        if self.version == 2:
            return self.unified_controllers
        return tuple(name for name, _ in self.controllers if not name.startswith("name="))

    def crun_refusal(self) -> str:
        """Return why crun would refuse every container here, empty when it would not.

        crun calls it hybrid when `unified` is cgroup2 below a tmpfs, and fails if any controller is left there.
        """
        if self.mode != MODE_HYBRID or not self.unified_controllers:
            return ""
        names = " ".join(self.unified_controllers)
        return (
            f"cgroup v1 is in use while v2 at {self.unified} still has: {names}; mount a v1 "
            "hierarchy for each of them, unmount v2, or use runc"
        )

    def directory(self, controller: str, cgroup: str) -> Path | None:
        """Return a cgroup's directory in one controller's hierarchy, None when there is no such hierarchy."""
        relative = _relative(cgroup)
        if self.version == 2:
            return self.unified / relative if self.unified else None
        for name, mounted in self.controllers:
            if name == controller:
                return mounted / relative
        return None

    def directories(self, cgroup: str) -> tuple[Path, ...]:
        """Return a cgroup's directories in all hierarchies, without repeats; they need not exist."""
        relative = _relative(cgroup)
        roots = [mounted for _, mounted in self.controllers]
        if self.unified is not None:
            roots.append(self.unified)
        # cpu and cpuacct are often one hierarchy under two links.
        return tuple(root / relative for root in dict.fromkeys(roots))


def read_layout(entries: tuple[MountEntry, ...]) -> CgroupLayout:
    """Return the layout that the mounts of this host show.

    Raises:
        Unavailable: there is no cgroup hierarchy.
    """
    found = cgroup_hierarchies(entries)
    unified = Path(found.pop("")) if "" in found else None
    if not found and unified is None:
        raise Unavailable(
            "cgroups",
            f"no hierarchy is mounted below {_ROOT}",
            remedy=f"mount cgroup2 on {_ROOT}",
            reason="NoCgroups",
        )
    mode = MODE_V2 if not found else MODE_V1 if unified is None else MODE_HYBRID
    return CgroupLayout(
        mode=mode,
        controllers=tuple(sorted((name, Path(path)) for name, path in found.items())),
        unified=unified,
        unified_controllers=_controllers_at(unified) if unified else (),
    )


def _controllers_at(unified: Path) -> tuple[str, ...]:
    try:
        with open(unified / "cgroup.controllers", encoding="ascii") as file:
            return tuple(file.read(4096).split())
    except OSError:
        return ()


def _relative(cgroup: str) -> str:
    path = os.path.normpath("/" + cgroup)[1:].lstrip("/")
    # Never the root of a hierarchy: kill and remove would mean the whole machine.
    if not path or "\0" in path or any(part == ".." for part in cgroup.split("/")):
        raise InvalidArgument(f"cgroup {cgroup[:200]!r}", "is no path below the root")
    return path
