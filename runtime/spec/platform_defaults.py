"""The complete default spec of each platform, before anything of a request is applied.

Linux is what containerd and CRI-O agree on for a plain container (mounts, deny-all device rule, no rlimits, no-new-
privileges off), with containerd's capability set. A Linux container on a Windows host also has an empty `windows`
section, which is how the Host Compute Service knows it; a Windows spec never has a `linux` one. Pure data: the caller may
say which system the host runs, else it is this interpreter's.
"""

import sys

from runtime.errors import InvalidArgument
from runtime.spec.capabilities import DEFAULT_CAPABILITIES
from runtime.spec.default_mounts import default_mounts
from runtime.spec.document import JsonValue, Spec

OCI_VERSION = "1.0.2"
"""Nothing newer is used, and crun 1.8.1 refuses a spec that says 1.1 or more."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path that both containerd and CRI-O give to containers."""

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
)
"""Files of the host that no container should read (security rule D9; as known in 2026-09)."""

READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)
"""Files of the host that no container should write."""

NEW_NAMESPACES = ("pid", "ipc", "uts", "mount", "network")

DENY_ALL_DEVICES: Spec = {"allow": False, "type": "a", "access": "rwm"}
"""Type `a` is written out: without it crun 1.8.1 fails on cgroup v1 (devices.deny: EINVAL)."""


def host_system() -> str:
    """Return the operating system of this host as specs name it."""
    return "windows" if sys.platform == "win32" else "linux"


def default_spec(platform: str, host: str) -> Spec:
    """Return the default spec of `os` or `os/architecture` on a host that runs `host`; empty means this host.

    Raises:
        InvalidArgument: there is no such platform.
    """
    running = host or host_system()
    system = platform.split("/", 1)[0] or running
    if system == "windows":
        return _windows_spec()
    if system == "linux":
        return {**_linux_spec(), "windows": {}} if running == "windows" else _linux_spec()
    raise InvalidArgument(
        f"platform {platform}",
        "has no default spec",
        remedy="use linux or windows",
        reason="UnknownPlatform",
    )


def _linux_spec() -> Spec:
    capabilities: JsonValue = list(DEFAULT_CAPABILITIES)
    return {
        "ociVersion": OCI_VERSION,
        "root": {"path": "rootfs"},
        "process": {
            "cwd": "/",
            "noNewPrivileges": False,
            "user": {"uid": 0, "gid": 0},
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
        },
        "mounts": list(default_mounts()),
        "linux": {
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
            "resources": {"devices": [DENY_ALL_DEVICES]},
            "namespaces": [{"type": name} for name in NEW_NAMESPACES],
        },
    }


def _windows_spec() -> Spec:
    return {
        "ociVersion": OCI_VERSION,
        "root": {"path": ""},
        "process": {"cwd": "C:\\", "user": {"uid": 0, "gid": 0}},
        "windows": {},
    }
