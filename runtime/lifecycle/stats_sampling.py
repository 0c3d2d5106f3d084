"""What containers use: CPU, memory and their writable layers.

Counters are read when asked for; the CPU rate needs an earlier reading, which a sampler takes. Counting a writable layer
walks it, so its size is remembered for a while. A container without a cgroup has no numbers and is left out of lists.
"""

import asyncio
import logging
from dataclasses import dataclass, replace

from runtime.errors import FailedPrecondition, PodRuntimeError
from runtime.lifecycle.node import Node
from runtime.lifecycle.object_names import container_name
from runtime.records.container import ContainerRecord, ContainerState
from runtime.records.list_filter import ContainerFilter
from runtime.records.resources import CgroupUsage, CpuUsage, WritableLayerUsage
from runtime.spec.cgroups_path import filesystem_cgroup

_SHORTEST_INTERVAL_NS = 500_000_000
"""Two readings closer than this say little about a rate."""
_LAYER_SECONDS = 5.0
"""How long a call waits for a writable layer to be counted before it answers with the older number."""
_PARALLEL = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerStats:
    """One container's numbers."""

    container: ContainerRecord
    usage: CgroupUsage
    writable_layer: WritableLayerUsage | None


async def container_stats(node: Node, id: str) -> ContainerStats:
    """Measure one container.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running, or has no cgroup any more.
    """
    record = node.container(id)
    stats = await _measure(node, record)
    if stats is None:
        raise FailedPrecondition(
            f"stats of {container_name(node, record)}",
            f"the container is {record.state} and has no cgroup to read",
            reason="NotRunning",
        )
    return stats


async def list_container_stats(node: Node, wanted: ContainerFilter) -> tuple[ContainerStats, ...]:
    """Measure the running containers that fit; those that end meanwhile are left out."""
    places = asyncio.Semaphore(_PARALLEL)

    async def measure(record: ContainerRecord) -> ContainerStats | None:
        """Measure one; None when it has no numbers."""
        async with places:
            try:
                return await _measure(node, record)
            except PodRuntimeError as error:
                log.debug("stats of %s: %s", record.id, error)
                return None

    records = [one for one in node.list_containers(wanted) if _is_alive(one)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(measure(one), name=f"stats {one.id[:12]}") for one in records]
    return tuple(stats for task in tasks if (stats := task.result()) is not None)


async def sample_cpu(node: Node) -> None:
    """Take a reading of every running container, against which rates are told."""
    for record in list(node.containers.values()):
        if record.state is not ContainerState.RUNNING:
            continue
        try:
            usage = await node.host.cgroup_usage(filesystem_cgroup(record.cgroups_path))
        except PodRuntimeError as error:
            log.debug("CPU sample of %s: %s", record.id, error)
            continue
        if usage is not None:
            _with_rate(node, record.id, usage.cpu)


async def _measure(node: Node, record: ContainerRecord) -> ContainerStats | None:
    if not _is_alive(record):
        return None
    usage = await node.host.cgroup_usage(filesystem_cgroup(record.cgroups_path))
    if usage is None:
        return None
    return ContainerStats(
        container=record,
        usage=replace(usage, cpu=_with_rate(node, record.id, usage.cpu)),
        writable_layer=await _layer_usage(node, record),
    )


def _is_alive(record: ContainerRecord) -> bool:
    return record.state in (ContainerState.CREATED, ContainerState.RUNNING)


def _with_rate(node: Node, container_id: str, now: CpuUsage) -> CpuUsage:
    live = node.live.get(container_id)
    if live is None:
        return now
    earlier = live.cpu_sample
    if earlier is None:
        live.cpu_sample = now
        return now
    interval = now.timestamp_ns - earlier.timestamp_ns
    if interval < _SHORTEST_INTERVAL_NS:
        return replace(now, usage_nano_cores=earlier.usage_nano_cores)
    used = max(0, now.usage_core_ns - earlier.usage_core_ns)
    live.cpu_sample = replace(now, usage_nano_cores=used * 1_000_000_000 // interval)
    return live.cpu_sample


async def _layer_usage(node: Node, record: ContainerRecord) -> WritableLayerUsage | None:
    live = node.live.get(record.id)
    if live is None:
        return None
    now = asyncio.get_running_loop().time()
    if live.layer_usage is not None and now < live.layer_usage_until:
        return live.layer_usage
    # Before the walk, so that concurrent calls do not all walk.
    live.layer_usage_until = now + node.settings.layer_usage_seconds
    try:
        async with asyncio.timeout(_LAYER_SECONDS):  # a large layer must not hold up the whole list
            live.layer_usage = await node.host.layer_usage(node.paths.layer(record.id) / "upper")
    except (TimeoutError, PodRuntimeError) as error:
        log.debug("writable layer of %s: %s", record.id, error)
    return live.layer_usage
