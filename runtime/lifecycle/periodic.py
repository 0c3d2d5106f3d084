"""What the node does by itself from time to time: failed clean-ups, networks that did not let go, CPU samples."""

import asyncio
import logging

from runtime.errors import PodRuntimeError
from runtime.lifecycle.clean_up import retry_clean_ups
from runtime.lifecycle.node import Node
from runtime.lifecycle.sandbox_stop import stop_known_sandbox
from runtime.lifecycle.stats_sampling import sample_cpu

log = logging.getLogger(__name__)


def start_periodic(node: Node) -> None:
    """Begin; the supervisor ends it with the daemon."""
    node.supervisor.spawn(_retry_for_ever(node), name="retry clean-ups")
    node.supervisor.spawn(_sample_for_ever(node), name="sample CPU use")


async def finish_stops(node: Node) -> None:
    """Go on with stops whose network was not released; one that fails again is logged and waits."""
    for record in list(node.sandboxes.values()):
        if not (record.stop_requested and record.network_attached):
            continue
        try:
            await stop_known_sandbox(node, record)
        except PodRuntimeError as error:
            log.warning("%s; it will be tried again", error)


async def _retry_for_ever(node: Node) -> None:
    while True:
        await asyncio.sleep(node.settings.retry_seconds)
        await retry_clean_ups(node)
        await finish_stops(node)


async def _sample_for_ever(node: Node) -> None:
    while True:
        await asyncio.sleep(node.settings.stats_seconds)
        await sample_cpu(node)
