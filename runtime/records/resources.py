"""Resource limits and measured use of a pod or container.

Plain values; zero or empty means "not set" in limits, as in CRI. Units stand in the names.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HugepageLimit:
    """Limit of one huge page size."""

    page_size: str
    """As in cgroup file names: `2MB`, `1GB`."""
    limit_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LinuxResources:
    """LinuxContainerResources; 0, empty and None-like values leave the setting unchanged."""

    cpu_period_us: int = 0
    cpu_quota_us: int = 0
    cpu_shares: int = 0
    memory_limit_bytes: int = 0
    memory_swap_limit_bytes: int = 0
    oom_score_adj: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    unified: tuple[tuple[str, str], ...] = ()
    """cgroup v2 file and value, sorted by file."""
    pids_limit: int = 0
    """Not in CRI; from the handler's settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuUsage:
    """CPU time used since the cgroup was made."""

    timestamp_ns: int
    usage_core_ns: int
    usage_nano_cores: int | None = None
    """Rate over the last sampling interval; None while there is only one sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryUsage:
    """Memory charged to the cgroup."""

    timestamp_ns: int
    usage_bytes: int
    working_set_bytes: int
    """Usage without inactive file pages, never below 0."""
    rss_bytes: int
    available_bytes: int
    """Limit minus working set, 0 when unlimited."""
    page_faults: int
    major_page_faults: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SwapUsage:
    """Swap charged to the cgroup."""

    timestamp_ns: int
    usage_bytes: int
    available_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WritableLayerUsage:
    """Space of a container's writable layer."""

    timestamp_ns: int
    mountpoint: str
    """Directory whose filesystem holds the layer."""
    used_bytes: int
    inodes_used: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CgroupUsage:
    """One reading of a container's cgroup."""

    cpu: CpuUsage
    memory: MemoryUsage
    swap: SwapUsage | None = None
    pids_current: int = 0
    oom_kills: int = 0
