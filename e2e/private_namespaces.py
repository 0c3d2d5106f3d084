"""Move this test process into network, IPC and mount namespaces of its own.

Everything started afterwards - daemons, CNI plugins, host-network pods, critest's fixed ports and
shared memory - lives there, so bridges, firewall rules, segments and mounts never meet the host's
and end with the run. Must be called before any thread starts: namespaces belong to a thread,
later ones inherit them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess

from e2e.tool_paths import system_tool

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000
ENTERED = "LADING_E2E_NAMESPACES"


def enter_private_namespaces() -> None:
    """Unshare the namespaces and make them usable; does nothing the second time.

    Raises:
        OSError: not root, or the kernel refuses namespaces.
    """
    if in_private_namespaces():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}; end-to-end tests need root")
    mount = system_tool("mount")
    # First cut off from the host, then shared again: a node's mounts are shared, and specs rely on it.
    for propagation in ("--make-rslave", "--make-rshared"):
        subprocess.run([mount, propagation, "/"], check=True)
    subprocess.run([system_tool("ip"), "link", "set", "lo", "up"], check=True)
    os.environ[ENTERED] = str(os.getpid())


def in_private_namespaces() -> bool:
    """Tell whether every interface, mount and firewall rule seen here belongs to this run."""
    return ENTERED in os.environ
