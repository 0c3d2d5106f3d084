"""Measured use of containers to CRI. Pure mapping; what was not measured is absent, never 0."""

from cri.api import api_pb2
from cri.translate.container import metadata_message
from runtime.records.container import ContainerRecord
from runtime.records.resources import (
    CgroupUsage,
    CpuUsage,
    MemoryUsage,
    SwapUsage,
    WritableLayerUsage,
)


def container_stats(
    record: ContainerRecord, usage: CgroupUsage, layer: WritableLayerUsage | None
) -> api_pb2.ContainerStats:
    """Return the statistics of one container."""
    return api_pb2.ContainerStats(
        attributes=_attributes(record),
        cpu=cpu_usage(usage.cpu),
        memory=memory_usage(usage.memory),
        swap=None if usage.swap is None else _swap(usage.swap),
        writable_layer=None if layer is None else _layer(layer),
    )


def _attributes(record: ContainerRecord) -> api_pb2.ContainerAttributes:
    return api_pb2.ContainerAttributes(
        id=record.id,
        metadata=metadata_message(record.config.metadata),
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
    )


def cpu_usage(usage: CpuUsage) -> api_pb2.CpuUsage:
    """Return CPU time; the rate only when two readings gave one."""
    rate = usage.usage_nano_cores
    return api_pb2.CpuUsage(
        timestamp=usage.timestamp_ns,
        usage_core_nano_seconds=number(usage.usage_core_ns),
        usage_nano_cores=None if rate is None else number(rate),
    )


def memory_usage(usage: MemoryUsage) -> api_pb2.MemoryUsage:
    """Return memory."""
    return api_pb2.MemoryUsage(
        timestamp=usage.timestamp_ns,
        working_set_bytes=number(usage.working_set_bytes),
        available_bytes=number(usage.available_bytes),
        usage_bytes=number(usage.usage_bytes),
        rss_bytes=number(usage.rss_bytes),
        page_faults=number(usage.page_faults),
        major_page_faults=number(usage.major_page_faults),
    )


def _swap(usage: SwapUsage) -> api_pb2.SwapUsage:
    return api_pb2.SwapUsage(
        timestamp=usage.timestamp_ns,
        swap_available_bytes=number(usage.available_bytes),
        swap_usage_bytes=number(usage.usage_bytes),
    )


def _layer(usage: WritableLayerUsage) -> api_pb2.FilesystemUsage:
    return api_pb2.FilesystemUsage(
        timestamp=usage.timestamp_ns,
        fs_id=api_pb2.FilesystemIdentifier(mountpoint=usage.mountpoint),
        used_bytes=number(usage.used_bytes),
        inodes_used=number(usage.inodes_used),
    )


def number(value: int) -> api_pb2.UInt64Value:
    """Return a number that is present also when it is 0."""
    return api_pb2.UInt64Value(value=max(0, value))
