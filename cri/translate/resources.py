"""Resource limits of CRI to records and back. Pure mapping; 0 and empty mean "not set" on both sides."""

from cri.api import api_pb2
from runtime.records.resources import HugepageLimit, LinuxResources


def linux_resources(message: api_pb2.LinuxContainerResources) -> LinuxResources:
    """Translate the limits of a container or pod."""
    return LinuxResources(
        cpu_period_us=message.cpu_period,
        cpu_quota_us=message.cpu_quota,
        cpu_shares=message.cpu_shares,
        memory_limit_bytes=message.memory_limit_in_bytes,
        memory_swap_limit_bytes=message.memory_swap_limit_in_bytes,
        oom_score_adj=message.oom_score_adj,
        cpuset_cpus=message.cpuset_cpus,
        cpuset_mems=message.cpuset_mems,
        hugepage_limits=tuple(
            HugepageLimit(page_size=limit.page_size, limit_bytes=limit.limit)
            for limit in message.hugepage_limits
        ),
        unified=tuple(sorted(message.unified.items())),
    )


def resources_message(resources: LinuxResources) -> api_pb2.LinuxContainerResources:
    """Return limits as last applied; the kubelet reads an in-place resize back from here."""
    return api_pb2.LinuxContainerResources(
        cpu_period=resources.cpu_period_us,
        cpu_quota=resources.cpu_quota_us,
        cpu_shares=resources.cpu_shares,
        memory_limit_in_bytes=resources.memory_limit_bytes,
        memory_swap_limit_in_bytes=resources.memory_swap_limit_bytes,
        oom_score_adj=resources.oom_score_adj,
        cpuset_cpus=resources.cpuset_cpus,
        cpuset_mems=resources.cpuset_mems,
        hugepage_limits=[
            api_pb2.HugepageLimit(page_size=limit.page_size, limit=limit.limit_bytes)
            for limit in resources.hugepage_limits
        ],
        unified=dict(resources.unified),
    )
