"""Checks of resource limits before they reach a cgroup.

CPU and node lists are checked as text and never expanded (security rule J2). -1 means unlimited where the OCI spec has it so.
"""

import re
from collections.abc import Mapping

from runtime.errors import InvalidArgument
from runtime.records.resources import LinuxResources
from runtime.spec.request import HostFacts
from runtime.spec.text_limits import check_texts, check_total, shown

MIN_MEMORY = 512 * 1024
"""Bytes below which not even crun's own start fits, as in CRI-O; the kernel's answer would be an OOM kill of the runtime."""

MAX_CPU_NUMBER = 65535
"""No kernel has more CPUs (NR_CPUS is at most 8192) or memory nodes (1024)."""

_LIST = re.compile(r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*", re.ASCII)
_PAGE_SIZE = re.compile(r"\d{1,6}[KMG]B", re.ASCII)
_CGROUP_FILE = re.compile(r"[a-z0-9_]+\.[A-Za-z0-9_.]+", re.ASCII)


def check_resources(subject: str, resources: LinuxResources, host: HostFacts) -> None:
    """Refuse limits that cannot be.

    Raises:
        InvalidArgument: one cannot; the message names it.
    """
    _check_numbers(subject, resources)
    _check_memory(subject, resources)
    check_cpu_list(subject, "cpuset_cpus", resources.cpuset_cpus)
    check_cpu_list(subject, "cpuset_mems", resources.cpuset_mems)
    for limit in resources.hugepage_limits:
        if not _PAGE_SIZE.fullmatch(limit.page_size) or limit.limit_bytes < 0:
            cause = f"has a bad hugepage limit for size {shown(limit.page_size)}"
            raise _refused(subject, cause, "use sizes such as 2MB", "BadHugepageLimit")
    _check_unified(subject, resources, host)


def check_cpu_list(subject: str, what: str, text: str) -> None:
    """Refuse what is not a list such as `0-3,5`, or has numbers that no machine has; it is never expanded.

    Raises:
        InvalidArgument: so it is.
    """
    if not text:
        return
    numbers = [part.split("-") for part in text.split(",")]
    fits = len(text) <= 4095 and _LIST.fullmatch(text) and all(map(_is_range, numbers))
    if not fits:
        cause = f"has {what} {shown(text)}, which is no list of numbers up to {MAX_CPU_NUMBER}"
        raise _refused(subject, cause, "use a list such as 0-3,5", "BadCpuList")


def _is_range(ends: list[str]) -> bool:
    # Length first: int() of a very long text is slow.
    if any(len(end) > len(str(MAX_CPU_NUMBER)) for end in ends):
        return False
    return int(ends[0]) <= int(ends[-1]) <= MAX_CPU_NUMBER


def _check_numbers(subject: str, resources: LinuxResources) -> None:
    lowest: Mapping[str, tuple[int, int]] = {
        "cpu_period": (resources.cpu_period_us, 0),
        "cpu_quota": (resources.cpu_quota_us, -1),
        "cpu_shares": (resources.cpu_shares, 0),
        "memory_limit": (resources.memory_limit_bytes, -1),
        "memory_swap_limit": (resources.memory_swap_limit_bytes, -1),
        "pids_limit": (resources.pids_limit, -1),
    }
    for name, (value, least) in lowest.items():
        if value < least:
            cause = f"has {name} {value}, which is below {least}"
            raise _refused(subject, cause, "use a size, or 0 for none", "NegativeLimit")
    if not -1000 <= resources.oom_score_adj <= 1000:
        cause = f"has oom_score_adj {resources.oom_score_adj}"
        raise _refused(subject, cause, "use -1000 to 1000", "BadOomScore")


def _check_memory(subject: str, resources: LinuxResources) -> None:
    limit, swap = resources.memory_limit_bytes, resources.memory_swap_limit_bytes
    if 0 < limit < MIN_MEMORY:
        cause = f"has a memory limit of {limit} bytes, less than {MIN_MEMORY}"
        raise _refused(subject, cause, "raise it", "MemoryLimitTooSmall")
    # The swap limit is memory plus swap (config-linux.md), so it cannot be the smaller one.
    if swap > 0 and (limit == -1 or swap < limit):
        cause = f"has a memory plus swap limit of {swap} bytes below the memory limit"
        raise _refused(subject, cause, "raise it at least to the memory limit", "SwapBelowMemory")


def _check_unified(subject: str, resources: LinuxResources, host: HostFacts) -> None:
    if not resources.unified:
        return
    if host.cgroup_version != 2:
        cause = "has unified cgroup settings, but this host uses cgroup v1"
        raise _refused(subject, cause, "remove them, or use a cgroup v2 node", "NoCgroupV2")
    check_total(subject, "unified settings", resources.unified)
    check_texts(subject, "unified settings", (value for _, value in resources.unified))
    for name, _ in resources.unified:
        if not _CGROUP_FILE.fullmatch(name):
            cause = f"has the unified setting {shown(name)}, which is no cgroup file"
            raise _refused(subject, cause, "use names such as memory.high", "BadCgroupFile")


def _refused(subject: str, cause: str, remedy: str, reason: str) -> InvalidArgument:
    return InvalidArgument(subject, cause, remedy=remedy, reason=reason)
