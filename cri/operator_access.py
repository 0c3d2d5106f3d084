"""What operators and scrapers reach: the admin socket, and metrics over TCP where the settings ask for it.

Builds both out of what the daemon has, hangs the instruments on what they count, and ends it in reverse order. Knows no
verb.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cri.admin.condition_times import ConditionTimes
from cri.admin.http_messages import Reply
from cri.admin.http_server import HttpServer
from cri.admin.parts import AdminParts, ConditionFact, StoreFacts, Versions
from cri.admin.store_facts import watch_store
from cri.admin.verbs import admin_dispatcher, metrics_dispatcher
from cri.config import Settings
from cri.grpc_server import socket_path
from cri.metrics.instruments import CONTENT_TYPE, Instruments
from cri.metrics.node_gauges import NodeGauges
from cri.metrics.watchers import watch_exits, watch_loop_lag
from cri.node_assembly import Assembly
from cri.runtime_service.parts import Condition
from cri.supervisor import TaskSupervisor
from cri.version import CRI_API_VERSION, CRI_VERSION, STATE_SCHEMA, VERSION
from image.store.pins import Pins

log = logging.getLogger(__name__)

PIN_SECONDS = 60.0
"""How late the end of a pin may be noticed."""


def make_instruments() -> Instruments:
    """Return the instruments of this daemon."""
    return Instruments(version=VERSION, cri_version=CRI_VERSION)


@dataclass(kw_only=True)
class OperatorAccess:
    """The servers of one daemon; `start` once, `stop` once."""

    settings: Settings
    assembly: Assembly
    supervisor: TaskSupervisor
    instruments: Instruments
    conditions: Callable[[], Sequence[Condition]]
    streaming: Callable[[], Mapping[str, int]]

    def __post_init__(self) -> None:
        self._servers: list[HttpServer] = []
        self._times = ConditionTimes(self._facts)
        self._facts_of_store = StoreFacts()
        self._pins = Pins(
            self.assembly.store.root,
            self.assembly.store,
            configured=self.settings.image.pinned_images,
        )

    async def start(self) -> None:
        """Count, watch and listen.

        Raises:
            FailedPrecondition: an address cannot be used, or the pins are damaged.
        """
        await self._pins.load()
        self._watch()
        parts = self._parts()
        self.supervisor.spawn_eternal(watch_store(parts), name="watch image store")
        admin = HttpServer(admin_dispatcher(parts, self._page))
        self._servers.append(admin)
        await admin.listen_unix(socket_path(self.settings.admin_address))
        if self.settings.metrics.address:
            metrics = HttpServer(metrics_dispatcher(self._page))
            self._servers.append(metrics)
            host, port = await metrics.listen_tcp(self.settings.metrics.address)
            log.info("metrics at http://%s:%d/metrics", host, port)

    async def stop(self) -> None:
        """Listen no more; running answers are cancelled."""
        for server in reversed(self._servers):
            await server.stop()
        self._servers.clear()

    def _watch(self) -> None:
        node = self.assembly.node
        node.operations.observer = self.instruments
        self.assembly.puller.observer = self.instruments
        self.assembly.cni_times.listener = self.instruments.cni_called
        self.assembly.oci_times.listener = self.instruments.runtime_called
        self.instruments.registry.register(
            NodeGauges(
                node=node,
                store=self.assembly.store,
                root=str(self.assembly.store.root),
                ready=lambda: {one.type: one.ready for one in self.conditions()},
                streaming=self.streaming,
            )
        )
        self.supervisor.spawn_eternal(
            watch_loop_lag(self.instruments.loop_lagged), name="watch event loop"
        )
        self.supervisor.spawn(
            watch_exits(node.events, self.instruments.container_ended), name="count exits"
        )
        self.supervisor.spawn_eternal(self._times.watch(), name="watch conditions")
        self.supervisor.spawn_eternal(self._end_pins(), name="end pins")

    async def _end_pins(self) -> None:
        while True:
            await asyncio.sleep(PIN_SECONDS)
            await self._pins.refresh()

    def _page(self) -> Reply:
        self.instruments.pulls_running.set(len(self.assembly.puller.pulls()))
        self.instruments.store_reclaimable.set(self._facts_of_store.reclaimable_bytes)
        self.instruments.store_damaged.set(self._facts_of_store.damaged_layers)
        return Reply(media_type=CONTENT_TYPE, body=self.instruments.page())

    def _parts(self) -> AdminParts:
        return AdminParts(
            node=self.assembly.node,
            store=self.assembly.store,
            puller=self.assembly.puller,
            pins=self._pins,
            conditions=self._times.facts,
            versions=Versions(
                daemon=VERSION,
                cri=CRI_VERSION,
                cri_api=CRI_API_VERSION,
                state_schema=STATE_SCHEMA,
            ),
            started_ns=time.time_ns(),
            facts=self._facts_of_store,
        )

    def _facts(self) -> tuple[ConditionFact, ...]:
        return tuple(
            ConditionFact(type=one.type, ready=one.ready, reason=one.reason, message=one.message)
            for one in self.conditions()
        )
