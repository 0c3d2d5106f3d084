"""PodSandboxStats, ListPodSandboxStats and StreamPodSandboxStats. Lists leave out what cannot be measured.

CPU, memory and processes come from the pod's cgroup, which the kubelet made; a pod without one tells them absent.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate import stats as translate
from cri.translate.batches import batches
from cri.translate.list_filters import sandbox_stats_filter
from cri.translate.pod_stats import NetworkCounters, pod_stats
from runtime.errors import PodRuntimeError, Unavailable
from runtime.lifecycle import stats_sampling
from runtime.records.list_filter import ContainerFilter
from runtime.records.resources import CgroupUsage
from runtime.records.sandbox import SandboxRecord, SandboxState
from runtime.records.security import NamespaceMode
from runtime.spec.cgroups_path import filesystem_cgroup

log = logging.getLogger(__name__)


async def stats(
    parts: RuntimeParts, request: api_pb2.PodSandboxStatsRequest
) -> api_pb2.PodSandboxStatsResponse:
    """Answer PodSandboxStats.

    Raises:
        NotFound: there is no such pod.
        Unavailable: it is not READY, so there is nothing to measure.
    """
    record = parts.node.sandbox(request.pod_sandbox_id)
    if record.state is not SandboxState.READY:
        raise Unavailable(f"stats of pod {record.id[:12]}", "it is not ready", reason="NotReady")
    return api_pb2.PodSandboxStatsResponse(stats=await _measure(parts, record))


async def list_stats(
    parts: RuntimeParts, request: api_pb2.ListPodSandboxStatsRequest
) -> api_pb2.ListPodSandboxStatsResponse:
    """Answer ListPodSandboxStats."""
    return api_pb2.ListPodSandboxStatsResponse(stats=await _wanted(parts, request.filter))


async def stream_stats(
    parts: RuntimeParts, request: api_pb2.StreamPodSandboxStatsRequest
) -> AsyncGenerator[api_pb2.StreamPodSandboxStatsResponse, None]:
    """Answer StreamPodSandboxStats: the list as it is now, in parts."""
    for batch in batches(await _wanted(parts, request.filter)):
        yield api_pb2.StreamPodSandboxStatsResponse(pod_sandbox_stats=batch)


async def _wanted(
    parts: RuntimeParts, message: api_pb2.PodSandboxStatsFilter
) -> list[api_pb2.PodSandboxStats]:
    records = parts.node.list_sandboxes(sandbox_stats_filter(message))
    ready = [record for record in records if record.state is SandboxState.READY]
    found = await asyncio.gather(*(_measure_or_none(parts, record) for record in ready))
    return [one for one in found if one is not None]


async def _measure_or_none(
    parts: RuntimeParts, record: SandboxRecord
) -> api_pb2.PodSandboxStats | None:
    try:
        return await _measure(parts, record)
    except PodRuntimeError as error:
        log.debug("stats of pod %s: %s", record.id, error)
        return None


async def _measure(parts: RuntimeParts, record: SandboxRecord) -> api_pb2.PodSandboxStats:
    wanted = ContainerFilter(sandbox_id=record.id)
    containers = await stats_sampling.list_container_stats(parts.node, wanted)
    messages = [
        translate.container_stats(one.container, one.usage, one.writable_layer)
        for one in containers
    ]
    usage = await _cgroup(parts, record)
    return pod_stats(record, usage, await _network(parts, record), messages)


async def _cgroup(parts: RuntimeParts, record: SandboxRecord) -> CgroupUsage | None:
    parent = record.config.linux.cgroup_parent
    return await parts.node.host.cgroup_usage(pod_cgroup(parent)) if parent else None


def pod_cgroup(parent: str) -> str:
    """Return where a pod's cgroup is below each hierarchy's root; slices may come by name or by path."""
    name = PurePosixPath(parent).name
    if not name.endswith(".slice"):
        return parent
    return str(PurePosixPath(filesystem_cgroup(f"{name}:any:scope")).parent)


async def _network(parts: RuntimeParts, record: SandboxRecord) -> NetworkCounters | None:
    if record.config.linux.security.namespaces.network is NamespaceMode.NODE:
        return None
    namespaces = parts.node.paths.namespaces(record.id)
    interfaces = await parts.node.host.network_accounting(namespaces)
    return NetworkCounters(timestamp_ns=time.time_ns(), interfaces=interfaces)
