"""Gauges that are read off the node, the store and the streaming server at the moment they are asked for.

Reads memory and one statvfs of the store's own filesystem; never waits for an operation, a program or a lock.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from image.model.records import ImageRecord
from runtime.lifecycle.node import Node
from runtime.records.container import ContainerState
from runtime.records.sandbox import SandboxState


class StoreFacts(Protocol):
    """What is used of the image store."""

    def list_images(self) -> Sequence[ImageRecord]:
        """Return every image once."""

    def bytes_by_kind(self) -> dict[str, int]:
        """Return the bytes on disk by what they are; never waits."""

    def partial_bytes(self) -> int:
        """Return what unfinished downloads take."""

    @property
    def resumed_bytes(self) -> int:
        """Bytes that pulls took from unfinished downloads, since the start."""


@dataclass(kw_only=True, eq=False)
class NodeGauges(Collector):
    """Meets prometheus_client's Collector."""

    node: Node
    store: StoreFacts
    root: str
    """A directory on the store's filesystem."""
    ready: Callable[[], dict[str, bool]]
    """Conditions by name."""
    streaming: Callable[[], Mapping[str, int]]
    """What the streaming server holds, by kind."""

    def describe(self) -> list[Metric]:
        """Name nothing in advance: registration must not ask a node that is not there yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        yield self._states("pods", "Pod sandboxes.", self._pods())
        yield self._states("containers", "Containers.", self._containers())
        yield from self._operations()
        yield from self._store()
        ready = GaugeMetricFamily("lading_ready", "Conditions of the node.", labels=["condition"])
        for name, value in self.ready().items():
            ready.add_metric([name], float(value))
        yield ready
        yield GaugeMetricFamily(
            "lading_cleanups_pending",
            "Clean-ups that failed or wait.",
            value=len(self.node.pending),
        )
        yield CounterMetricFamily(
            "lading_events_dropped",
            "Events lost by listeners that did not keep up.",
            value=self.node.events.dropped,
        )
        streaming = GaugeMetricFamily(
            "lading_streaming", "What the streaming server holds.", labels=["kind"]
        )
        for kind, number in self.streaming().items():
            streaming.add_metric([kind], number)
        yield streaming
        yield GaugeMetricFamily(
            "lading_tasks", "Tasks of the event loop.", value=len(asyncio.all_tasks())
        )

    def _pods(self) -> Counter[str]:
        counts = Counter({state.name.lower(): 0 for state in SandboxState})
        counts.update(one.state.name.lower() for one in self.node.sandboxes.values())
        return counts

    def _containers(self) -> Counter[str]:
        counts = Counter({state.name.lower(): 0 for state in ContainerState})
        counts.update(one.state.name.lower() for one in self.node.containers.values())
        return counts

    @staticmethod
    def _states(name: str, text: str, counts: Counter[str]) -> Metric:
        family = GaugeMetricFamily(f"lading_{name}", text, labels=["state"])
        for state, number in counts.items():
            family.add_metric([state], number)
        return family

    def _operations(self) -> Iterator[Metric]:
        running = self.node.operations.running()
        flight = GaugeMetricFamily(
            "lading_operations_in_flight", "Operations that run now.", labels=["operation"]
        )
        oldest = GaugeMetricFamily(
            "lading_operation_oldest_seconds",
            "Age of the oldest operation that runs now.",
            labels=["operation"],
        )
        for kind, number in Counter(one.ticket.kind for one in running).items():
            flight.add_metric([kind], number)
            ages = (one.age_seconds for one in running if one.ticket.kind == kind)
            oldest.add_metric([kind], max(ages))
        yield flight
        yield oldest

    def _store(self) -> Iterator[Metric]:
        kept = GaugeMetricFamily("lading_store_bytes", "Image store on disk.", labels=["kind"])
        for kind, number in self.store.bytes_by_kind().items():
            kept.add_metric([kind], number)
        yield kept
        yield GaugeMetricFamily(
            "lading_store_partial_bytes",
            "Unfinished downloads that a later pull goes on from.",
            value=self.store.partial_bytes(),
        )
        yield CounterMetricFamily(
            "lading_image_pull_resumed_bytes",
            "Bytes that pulls took from unfinished downloads instead of fetching them.",
            value=self.store.resumed_bytes,
        )
        status = os.statvfs(self.root)
        free = status.f_bavail * status.f_frsize
        yield GaugeMetricFamily(
            "lading_store_free_bytes", "Free space of the store's filesystem.", value=free
        )
        yield GaugeMetricFamily(
            "lading_images", "Images on this node.", value=len(self.store.list_images())
        )
