"""What lies on this node and belongs to nothing that is known: found before the first request, removed behind it.

The names are read before anything new can be made, so a new pod is never taken for a leftover. What belongs to a damaged
row of the database is not touched.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from runtime.errors import PodRuntimeError
from runtime.lifecycle.node import Node
from runtime.store.bundle_directories import names_in

_ID = re.compile("[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftovers:
    """Ids of what nothing knows."""

    sandboxes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return bool(self.sandboxes or self.containers)


def find_leftovers(node: Node, in_runtimes: Iterable[str], known: frozenset[str]) -> Leftovers:
    """Compare what lies on disk and what the runtimes know with what is known.

    Raises:
        Unavailable: a directory of ours cannot be read.
    """
    paths = node.paths
    containers = names_in(paths.bundles) | names_in(paths.layers) | frozenset(in_runtimes)
    sandboxes = names_in(paths.pods) | names_in(paths.pins)
    return Leftovers(sandboxes=_ids(sandboxes - known), containers=_ids(containers - known))


async def remove_leftovers(node: Node, found: Leftovers) -> None:
    """Remove them, containers first; what fails is logged and found again at the next start."""
    for id in found.containers:
        await _remove(node, _container, id)
    for id in found.sandboxes:
        await _remove(node, _sandbox, id)


def _ids(names: frozenset[str]) -> tuple[str, ...]:
    # Only what can be ours: a file system's lost+found, say, is not.
    return tuple(sorted(name for name in names if _ID.fullmatch(name)))


async def _remove(node: Node, remove: Callable[[Node, str], Awaitable[None]], id: str) -> None:
    try:
        async with asyncio.timeout(4 * node.settings.undo_step_seconds):  # all its steps
            await remove(node, id)
        log.info("removed leftover %s", id)
    except (PodRuntimeError, TimeoutError) as error:
        log.error("leftover %s stays until the next start: %s", id, error)


async def _container(node: Node, id: str) -> None:
    bundle = node.paths.bundle(id)
    for driver in node.drivers.values():
        await driver.delete_leftover(id, bundle)
    await node.host.unmount_below(bundle)
    await node.host.remove_tree(bundle)
    await node.host.remove_tree(node.paths.layer(id))
    await node.images.release(id)


async def _sandbox(node: Node, id: str) -> None:
    await node.host.destroy_namespaces(node.paths.namespaces(id))
    await node.host.destroy_pod_files(node.paths.pod(id))
    await node.host.unmount_below(node.paths.pod(id))
    await node.host.remove_tree(node.paths.pod(id))
