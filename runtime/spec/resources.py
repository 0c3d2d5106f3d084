"""Limits of a container's cgroup, at creation and as single options.

Only what is set is written, so that the kernel's defaults stay (containerd); memory plus swap becomes the memory limit when
it is not set and swap is accounted for, so that a limit on memory is one. Hugepage limits need their controller and are
left out with a note without it (containerd's tolerate_missing_hugetlb_controller).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.spec.document import JsonValue, Option, Spec, merge, put, set_value, unchanged
from runtime.spec.request import HostFacts, SpecRequest

_RESOURCES = ("linux", "resources")


def resources_document(resources: LinuxResources, host: HostFacts) -> Spec:
    """Return the `linux.resources` object of some limits, with what is set and the host can limit."""
    return limits_document(applicable_limits(resources, host))


def limits_document(resources: LinuxResources) -> Spec:
    """Return the `linux.resources` object of limits that the host can apply, with what is set alone."""
    parts: dict[str, JsonValue] = {
        "cpu": _cpu(resources),
        "memory": _memory(resources),
        "pids": {"limit": resources.pids_limit} if resources.pids_limit else {},
        "hugepageLimits": _hugepages(resources.hugepage_limits),
        "unified": dict(resources.unified),
    }
    return {name: part for name, part in parts.items() if part}


def applicable_limits(resources: LinuxResources, host: HostFacts) -> LinuxResources:
    """Return limits without what this host has no controller for, and with the swap limit that is meant."""
    return replace(
        resources,
        memory_swap_limit_bytes=effective_swap_limit(resources, host),
        hugepage_limits=resources.hugepage_limits if _has_hugetlb(host) else (),
        unified=resources.unified if host.cgroup_version == 2 else (),
    )


def effective_swap_limit(resources: LinuxResources, host: HostFacts) -> int:
    """Return memory plus swap as it is applied: the memory limit when nothing was said, 0 for no limit of ours."""
    if not host.swap_accounting:
        return 0
    return resources.memory_swap_limit_bytes or resources.memory_limit_bytes


def resource_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's limits."""
    document = resources_document(request.container.resources, request.host)
    limit = request.container.resources.pids_limit or request.handler.pids_limit
    return (
        lambda spec: merge(spec, _RESOURCES, document),
        with_pids_limit(limit) if limit else unchanged,
        with_cgroups_path(request.cgroups_path) if request.cgroups_path else unchanged,
    )


def resource_notes(request: SpecRequest) -> tuple[str, ...]:
    """Tell which limits were left out because the host lacks their controller."""
    resources, host = request.container.resources, request.host
    notes = []
    if resources.hugepage_limits and not _has_hugetlb(host):
        notes.append("hugepage limits were left out: the hugetlb controller is not available")
    if resources.memory_swap_limit_bytes and not host.swap_accounting:
        notes.append("the swap limit was left out: swap is not accounted for")
    return tuple(notes)


def _has_hugetlb(host: HostFacts) -> bool:
    return "hugetlb" in host.cgroup_controllers


def _cpu(resources: LinuxResources) -> Spec:
    values: dict[str, JsonValue] = {
        "shares": resources.cpu_shares,
        "quota": resources.cpu_quota_us,
        "period": resources.cpu_period_us,
        "cpus": resources.cpuset_cpus,
        "mems": resources.cpuset_mems,
    }
    return {key: value for key, value in values.items() if value}


def _memory(resources: LinuxResources) -> Spec:
    values: dict[str, JsonValue] = {
        "limit": resources.memory_limit_bytes,
        "swap": resources.memory_swap_limit_bytes,
    }
    return {key: value for key, value in values.items() if value}


def _hugepages(limits: Iterable[HugepageLimit]) -> list[JsonValue]:
    return [{"pageSize": limit.page_size, "limit": limit.limit_bytes} for limit in limits]


# --- options for specs in general


def with_memory_limit(limit_bytes: int) -> Option:
    """Limit memory in each platform section that the spec has: linux, windows, or both for Linux on Windows."""

    def option(spec: Spec) -> Spec:
        for platform in ("linux", "windows"):
            if platform in spec:
                spec = put(spec, (platform, "resources", "memory", "limit"), limit_bytes)
        return spec

    return option


def with_memory_swap(limit_bytes: int) -> Option:
    """Limit memory plus swap."""
    return set_value((*_RESOURCES, "memory", "swap"), limit_bytes)


def with_cpu_shares(shares: int) -> Option:
    """Set the relative weight of CPU time."""
    return set_value((*_RESOURCES, "cpu", "shares"), shares)


def with_cpu_quota(quota_us: int, period_us: int) -> Option:
    """Limit CPU time to `quota_us` in each `period_us`."""
    values: Spec = {"quota": quota_us, "period": period_us}
    return lambda spec: merge(spec, (*_RESOURCES, "cpu"), values)


def with_cpuset(cpus: str = "", mems: str = "") -> Option:
    """Bind to CPUs and memory nodes in the kernel's list form; an empty list leaves that one alone."""
    values: Spec = {key: text for key, text in (("cpus", cpus), ("mems", mems)) if text}
    return lambda spec: merge(spec, (*_RESOURCES, "cpu"), values)


def with_pids_limit(limit: int) -> Option:
    """Limit the number of processes and threads."""
    return set_value((*_RESOURCES, "pids", "limit"), limit)


def with_hugepage_limits(limits: Iterable[HugepageLimit]) -> Option:
    """Limit huge pages by size."""
    return set_value((*_RESOURCES, "hugepageLimits"), _hugepages(limits))


def with_block_io(settings: Spec) -> Option:
    """Set block I/O weights and throttles (config-linux.md, block IO)."""
    return lambda spec: merge(spec, (*_RESOURCES, "blockIO"), settings)


def with_rdt(settings: Spec) -> Option:
    """Set the cache and memory bandwidth class (config-linux.md, IntelRdt)."""
    return lambda spec: merge(spec, ("linux", "intelRdt"), settings)


def with_unified(files: Mapping[str, str]) -> Option:
    """Write files of the cgroup v2 directory."""
    return lambda spec: merge(spec, (*_RESOURCES, "unified"), dict(files))


def with_cgroups_path(path: str) -> Option:
    """Set where the container's cgroup is."""
    return set_value(("linux", "cgroupsPath"), path)


def with_parent_cgroup(parent: str, container_id: str) -> Option:
    """Put the container's cgroup below a parent."""
    return with_cgroups_path(f"{parent.rstrip('/')}/{container_id}")


def with_resources(resources: LinuxResources, host: HostFacts) -> Option:
    """Apply a set of limits."""
    document = resources_document(resources, host)
    return lambda spec: merge(spec, _RESOURCES, document)
