"""Counters of a cgroup's files, version 1 and 2, made into one `CgroupUsage`.

Pure: the text of the files in, values out; a file that could not be read is left out of the mapping and counts as 0.
Kernel: Documentation/admin-guide/cgroup-v1/{memory,cpuacct,pids}.rst and cgroup-v2.rst. Working set is what kubelet and
cAdvisor take it for: usage without inactive file pages.
"""

from collections.abc import Mapping

from runtime.records.resources import CgroupUsage, CpuUsage, MemoryUsage, SwapUsage

V1_FILES = (
    ("cpuacct", "cpuacct.usage"),
    ("memory", "memory.usage_in_bytes"),
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.memsw.usage_in_bytes"),
    ("memory", "memory.memsw.limit_in_bytes"),
    ("memory", "memory.stat"),
    ("memory", "memory.oom_control"),
    ("pids", "pids.current"),
)
"""(controller, file) to read for `usage_v1`."""

V2_FILES = (
    "cpu.stat",
    "memory.current",
    "memory.max",
    "memory.swap.current",
    "memory.swap.max",
    "memory.stat",
    "memory.events",
    "pids.current",
)
"""Files to read for `usage_v2`."""

_V1_UNLIMITED = 1 << 62
"""memory.limit_in_bytes of an unlimited cgroup is LONG_MAX rounded down to pages."""


def parse_flat_keyed(text: str) -> dict[str, int]:
    """Return the `KEY VALUE` lines of a file; a line with another form is skipped, for kernels add fields."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if value.isascii() and value.isdigit():
            found[key] = int(value)
    return found


def parse_number(text: str) -> int | None:
    """Return the only number of a file, None for `max`, an empty file or anything else."""
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() else None


def usage_v1(files: Mapping[str, str], timestamp_ns: int) -> CgroupUsage:
    """Return the use of a v1 cgroup from its files by name."""
    stat = parse_flat_keyed(files.get("memory.stat", ""))
    used = _number(files, "memory.usage_in_bytes")
    limit = _v1_limit(files, "memory.limit_in_bytes")
    return CgroupUsage(
        cpu=CpuUsage(timestamp_ns=timestamp_ns, usage_core_ns=_number(files, "cpuacct.usage")),
        memory=_memory(
            timestamp_ns,
            used=used,
            limit=limit,
            inactive_file=stat.get("total_inactive_file", 0),
            rss=stat.get("total_rss", 0),
            faults=stat.get("total_pgfault", 0),
            major_faults=stat.get("total_pgmajfault", 0),
        ),
        swap=_v1_swap(files, timestamp_ns, used, limit),
        pids_current=_number(files, "pids.current"),
        oom_kills=oom_kills(files),
    )


def usage_v2(files: Mapping[str, str], timestamp_ns: int) -> CgroupUsage:
    """Return the use of a v2 cgroup from its files by name."""
    stat = parse_flat_keyed(files.get("memory.stat", ""))
    cpu = parse_flat_keyed(files.get("cpu.stat", ""))
    return CgroupUsage(
        cpu=CpuUsage(timestamp_ns=timestamp_ns, usage_core_ns=cpu.get("usage_usec", 0) * 1000),
        memory=_memory(
            timestamp_ns,
            used=_number(files, "memory.current"),
            limit=parse_number(files.get("memory.max", "")),
            inactive_file=stat.get("inactive_file", 0),
            rss=stat.get("anon", 0),
            faults=stat.get("pgfault", 0),
            major_faults=stat.get("pgmajfault", 0),
        ),
        swap=_v2_swap(files, timestamp_ns),
        pids_current=_number(files, "pids.current"),
        oom_kills=oom_kills(files),
    )


def oom_kills(files: Mapping[str, str]) -> int:
    """Return how many processes the kernel killed in this cgroup for want of memory (either version's file)."""
    text = files.get("memory.events") or files.get("memory.oom_control") or ""
    return parse_flat_keyed(text).get("oom_kill", 0)


def _number(files: Mapping[str, str], name: str) -> int:
    return parse_number(files.get(name, "")) or 0


def _memory(
    timestamp_ns: int,
    *,
    used: int,
    limit: int | None,
    inactive_file: int,
    rss: int,
    faults: int,
    major_faults: int,
) -> MemoryUsage:
    working_set = max(0, used - inactive_file)
    return MemoryUsage(
        timestamp_ns=timestamp_ns,
        usage_bytes=used,
        working_set_bytes=working_set,
        rss_bytes=rss,
        available_bytes=0 if limit is None else max(0, limit - working_set),
        page_faults=faults,
        major_page_faults=major_faults,
    )


def _v1_limit(files: Mapping[str, str], name: str) -> int | None:
    limit = parse_number(files.get(name, ""))
    return None if limit is None or limit >= _V1_UNLIMITED else limit


def _v1_swap(
    files: Mapping[str, str], timestamp_ns: int, memory_used: int, memory_limit: int | None
) -> SwapUsage | None:
    both = parse_number(files.get("memory.memsw.usage_in_bytes", ""))
    if both is None:
        return None
    # memsw counts memory plus swap, in use and limit alike (memory.rst section 2.4).
    used = max(0, both - memory_used)
    both_limit = _v1_limit(files, "memory.memsw.limit_in_bytes")
    if both_limit is None or memory_limit is None:
        return SwapUsage(timestamp_ns=timestamp_ns, usage_bytes=used, available_bytes=0)
    free = max(0, both_limit - memory_limit - used)
    return SwapUsage(timestamp_ns=timestamp_ns, usage_bytes=used, available_bytes=free)


def _v2_swap(files: Mapping[str, str], timestamp_ns: int) -> SwapUsage | None:
    used = parse_number(files.get("memory.swap.current", ""))
    if used is None:
        return None
    limit = parse_number(files.get("memory.swap.max", ""))
    free = 0 if limit is None else max(0, limit - used)
    return SwapUsage(timestamp_ns=timestamp_ns, usage_bytes=used, available_bytes=free)
