"""Find out once, at start, what this host and the daemon's own rights allow: `runtime.spec.request.HostFacts`.

Capabilities and limits are the daemon's own: no container can be given more. Whether an OOM score can be lowered is
tried by a child process, because neither uid 0 nor a capability proves it in a user namespace; the daemon's own score
is never touched.
"""

import os
import resource
from pathlib import Path

from runtime.errors import PodRuntimeError
from runtime.formats.proc_stat import parse_status_field
from runtime.host.capability_names import CAPABILITY_NAMES
from runtime.host.cgroup_layout import CgroupLayout
from runtime.host.launcher import Launcher
from runtime.spec.request import HostFacts

_CAP_SYS_RESOURCE = 24
_UNLIMITED = (1 << 64) - 1
"""How the OCI spec and the kernel's 64-bit interface write RLIM_INFINITY."""

_SECCOMP_ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}
_PROBE_SECONDS = 5.0


async def gather_facts(launcher: Launcher, layout: CgroupLayout) -> HostFacts:
    """Return the facts; takes a few milliseconds."""
    effective = _effective_capabilities()
    machine = os.uname()
    own_score = int(_read("/proc/self/oom_score_adj") or 0)
    return HostFacts(
        capabilities=_names(effective),
        known_capabilities=_names((1 << (_last_capability() + 1)) - 1),
        oom_score_adj=own_score,
        can_lower_oom_score=await can_lower_oom_score(launcher, own_score),
        hard_rlimits=hard_rlimits(),
        can_raise_rlimits=bool(effective & (1 << _CAP_SYS_RESOURCE)),
        cgroup_version=layout.version,
        cgroup_controllers=layout.effective_controllers,
        swap_accounting=_counts_swap(layout),
        kernel_release=machine.release,
        seccomp_architectures=_SECCOMP_ARCHITECTURES.get(machine.machine, ()),
        cpu_count=possible_cpus(_read("/sys/devices/system/cpu/possible")),
        apparmor_enabled=_read("/sys/module/apparmor/parameters/enabled").startswith("Y"),
        selinux_enabled=Path("/sys/fs/selinux/enforce").exists(),
    )


async def can_lower_oom_score(launcher: Launcher, own_score: int) -> bool:
    """Tell whether a child may have a lower OOM score than the daemon: a shell tries to give itself one."""
    wanted = max(-1000, own_score - 1)
    if wanted == own_score:
        return True  # already the lowest there is
    argv = ["sh", "-c", 'echo "$0" > /proc/self/oom_score_adj', str(wanted)]
    try:
        ended = await launcher.run(
            argv, timeout_seconds=_PROBE_SECONDS, subject="probe of oom_score_adj"
        )
    except PodRuntimeError:
        return False  # without a shell the safe answer is to clamp
    return ended.exit_code == 0 and not ended.timed_out


def possible_cpus(text: str) -> int:
    """Return how many CPU numbers a list of the kernel (`0-3,8-11`) goes up to; 0 when it cannot be read."""
    last = text.strip().rpartition(",")[2].rpartition("-")[2]
    return int(last) + 1 if last.isdigit() else 0


def hard_rlimits() -> dict[str, int]:
    """Return the daemon's own hard limits by name."""
    found = {}
    for name in sorted(dir(resource)):
        if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE":  # an old name of NOFILE
            number: int = getattr(resource, name)
            hard = resource.getrlimit(number)[1]
            found[name] = _UNLIMITED if hard == resource.RLIM_INFINITY else hard
    return found


def _effective_capabilities() -> int:
    text = parse_status_field(_read("/proc/self/status").encode(), "CapEff")
    return int(text, 16) if text else 0


def _last_capability() -> int:
    text = _read("/proc/sys/kernel/cap_last_cap").strip()
    return int(text) if text.isdigit() else len(CAPABILITY_NAMES) - 1


def _names(mask: int) -> tuple[str, ...]:
    return tuple(name for number, name in enumerate(CAPABILITY_NAMES) if mask & (1 << number))


def _counts_swap(layout: CgroupLayout) -> bool:
    if layout.version == 1:
        memory = dict(layout.controllers).get("memory")
        return memory is not None and (memory / "memory.memsw.limit_in_bytes").exists()
    # The root cgroup has no such file: look at any child (cgroup-v2.rst, memory.swap.max).
    return layout.unified is not None and any(layout.unified.glob("*/memory.swap.max"))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
