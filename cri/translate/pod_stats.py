"""Measured use of pods to CRI. Pure mapping; what was not measured is absent, never 0."""

from collections.abc import Sequence
from dataclasses import dataclass

from cri.api import api_pb2
from cri.translate.sandbox import metadata_message
from cri.translate.stats import cpu_usage, memory_usage, number
from runtime.records.resources import CgroupUsage
from runtime.records.sandbox import SandboxRecord

DEFAULT_INTERFACE = "eth0"
"""The name that CNI gives a pod's first interface here, as everywhere."""

_LOOPBACK = "lo"


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkCounters:
    """Interface name, received and sent bytes of each interface of a pod."""

    timestamp_ns: int
    interfaces: tuple[tuple[str, int, int], ...]


def pod_stats(
    record: SandboxRecord,
    usage: CgroupUsage | None,
    network: NetworkCounters | None,
    containers: Sequence[api_pb2.ContainerStats],
) -> api_pb2.PodSandboxStats:
    """Return the statistics of one pod."""
    linux = api_pb2.LinuxPodSandboxStats(
        cpu=None if usage is None else cpu_usage(usage.cpu),
        memory=None if usage is None else memory_usage(usage.memory),
        network=None if network is None else _network(network),
        process=None if usage is None else _processes(usage),
        containers=containers,
    )
    attributes = api_pb2.PodSandboxAttributes(
        id=record.id,
        metadata=metadata_message(record.config.metadata),
        labels=dict(record.config.labels),
        annotations=dict(record.config.annotations),
    )
    return api_pb2.PodSandboxStats(attributes=attributes, linux=linux)


def _network(counters: NetworkCounters) -> api_pb2.NetworkUsage:
    message = api_pb2.NetworkUsage(timestamp=counters.timestamp_ns)
    for name, received, sent in counters.interfaces:
        if name == _LOOPBACK:
            continue
        interface = api_pb2.NetworkInterfaceUsage(
            name=name, rx_bytes=number(received), tx_bytes=number(sent)
        )
        message.interfaces.append(interface)
        if name == DEFAULT_INTERFACE:
            message.default_interface.CopyFrom(interface)
    return message


def _processes(usage: CgroupUsage) -> api_pb2.ProcessUsage:
    return api_pb2.ProcessUsage(
        timestamp=usage.cpu.timestamp_ns, process_count=number(usage.pids_current)
    )
