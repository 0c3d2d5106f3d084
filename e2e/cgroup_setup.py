"""Make this machine's cgroups acceptable to crun for the length of a test, and undo it.

On a hybrid machine whose cgroup2 mount carries hugetlb, crun refuses to run until that controller
is in a v1 hierarchy. Only tests do this; the daemon explains the refusal instead.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e.tool_paths import system_tool

HUGETLB = Path("/sys/fs/cgroup/hugetlb")
UNIFIED_CONTROLLERS = Path("/sys/fs/cgroup/unified/cgroup.controllers")


def hugetlb_blocks_crun() -> bool:
    """Tell whether cgroup2 holds hugetlb beside v1 hierarchies."""
    if not UNIFIED_CONTROLLERS.is_file():
        return False
    return "hugetlb" in UNIFIED_CONTROLLERS.read_text().split() and not mounted()


def mounted(mountinfo: str = "/proc/self/mountinfo") -> bool:
    """Tell whether the v1 hierarchy is mounted in a mount namespace."""
    return any(line.split()[4] == str(HUGETLB) for line in Path(mountinfo).read_text().splitlines())


@contextmanager
def cgroups_for(handler: str) -> Iterator[None]:
    """Do what the handler needs: the hugetlb mount for crun, nothing for others."""
    if "crun" not in handler or mounted():
        yield
        return
    if not hugetlb_blocks_crun() and not mounted("/proc/1/mountinfo"):
        yield
        return
    mount = [str(system_tool("mount")), "-t", "cgroup", "-o", "hugetlb", "cgroup", str(HUGETLB)]
    # The same lock as setup/with_hugetlb.sh: shared by all who use the directory.
    users = os.open(HUGETLB.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(users, fcntl.LOCK_SH)
    HUGETLB.mkdir(exist_ok=True)
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run([system_tool("umount"), "-l", HUGETLB], check=False)
        # Removing a directory also unmounts it in other namespaces: leave it to the last, and to the host.
        with suppress(OSError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not mounted("/proc/1/mountinfo"):
                HUGETLB.rmdir()
        os.close(users)
