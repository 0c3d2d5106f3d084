"""Changing the limits of a live container.

Zero and empty leave a setting as it is, as CRI has it. When the memory limit changes and nothing is said of swap, memory plus
swap follows the limit, unless it was unlimited: a swap limit below the memory limit cannot be set. oom_score_adj cannot be
changed later and is taken over into the record alone, as in containerd.
"""

from dataclasses import replace

from runtime.records.resources import HugepageLimit, LinuxResources


def updated_resources(current: LinuxResources, change: LinuxResources) -> LinuxResources:
    """Return the limits after a change."""
    merged = LinuxResources(
        cpu_period_us=change.cpu_period_us or current.cpu_period_us,
        cpu_quota_us=change.cpu_quota_us or current.cpu_quota_us,
        cpu_shares=change.cpu_shares or current.cpu_shares,
        memory_limit_bytes=change.memory_limit_bytes or current.memory_limit_bytes,
        memory_swap_limit_bytes=change.memory_swap_limit_bytes or current.memory_swap_limit_bytes,
        oom_score_adj=change.oom_score_adj or current.oom_score_adj,
        cpuset_cpus=change.cpuset_cpus or current.cpuset_cpus,
        cpuset_mems=change.cpuset_mems or current.cpuset_mems,
        hugepage_limits=_with_hugepages(current, change),
        unified=tuple(sorted({**dict(current.unified), **dict(change.unified)}.items())),
        pids_limit=change.pids_limit or current.pids_limit,
    )
    return _with_swap(merged, change)


def _with_swap(merged: LinuxResources, change: LinuxResources) -> LinuxResources:
    follows = change.memory_limit_bytes and not change.memory_swap_limit_bytes
    if follows and merged.memory_swap_limit_bytes >= 0:
        return replace(merged, memory_swap_limit_bytes=merged.memory_limit_bytes)
    return merged


def _with_hugepages(current: LinuxResources, change: LinuxResources) -> tuple[HugepageLimit, ...]:
    sizes = {
        limit.page_size: limit for limit in (*current.hugepage_limits, *change.hugepage_limits)
    }
    return tuple(sizes.values())
