"""Complete what is known of handlers whose runtime cannot be asked: tried once, behind the first answer.

Until then Status says honestly no. What a trial found is remembered below the root directory, so that later starts know
it at once.
"""

import logging
from dataclasses import replace

from runtime.drivers.driver import ContainerDriver
from runtime.errors import PodRuntimeError
from runtime.lifecycle.node import Node

TRIED_FEATURES = "tried-features.json"

log = logging.getLogger(__name__)


async def complete_features(node: Node) -> None:
    """Try every usable handler that must be tried, one after the other."""
    for name, driver in node.drivers.items():
        known = node.features[name]
        if known.usable and known.untried:
            await _complete(node, name, driver)


async def _complete(node: Node, name: str, driver: ContainerDriver) -> None:
    try:
        found = await driver.try_features(node.settings.root / TRIED_FEATURES)
    except PodRuntimeError as error:
        log.warning("handler %s: its features stay unknown: %s", name, error)
        return
    # User namespaces need more than the runtime: whoever allows them decides at start (probe).
    shown = replace(
        node.features[name],
        recursive_read_only_mounts=found.recursive_read_only_mounts,
        untried=False,
    )
    node.features = {**node.features, name: shown}
    told = "can" if shown.recursive_read_only_mounts else "cannot"
    log.info("handler %s: %s make recursive read-only mounts", name, told)
