"""The resources document of `RUNTIME update --resources -` for a change of limits.

Pure. Zero and empty values are left out: the runtimes leave alone what the document does not name.
"""

from runtime.records.resources import LinuxResources


def resources_document(resources: LinuxResources) -> dict[str, object]:
    """Return the `linux.resources` part of an OCI spec with what is set."""
    cpu = _set_values(
        shares=resources.cpu_shares,
        quota=resources.cpu_quota_us,
        period=resources.cpu_period_us,
        cpus=resources.cpuset_cpus,
        mems=resources.cpuset_mems,
    )
    memory = _set_values(limit=resources.memory_limit_bytes, swap=resources.memory_swap_limit_bytes)
    pids = _set_values(limit=resources.pids_limit)
    hugepages = [
        {"pageSize": limit.page_size, "limit": limit.limit_bytes}
        for limit in resources.hugepage_limits
    ]
    return _set_values(
        cpu=cpu,
        memory=memory,
        pids=pids,
        hugepageLimits=hugepages,
        unified=dict(resources.unified),
    )


def _set_values(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}
