"""Finds out now and then what a prune of the image store would give back: who asks gets the last answer, at once.

Reads the database in a thread; changes nothing but the answer.
"""

import asyncio
import logging

from cri.admin.image_keepers import Keepers
from cri.admin.parts import AdminParts

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""How old the answer may be; looking costs a few milliseconds."""


async def look_at_store(parts: AdminParts) -> None:
    """Find out what nothing keeps."""
    report = await parts.store.report()
    images = parts.store.list_images()
    keepers = Keepers(parts, report)
    doomed = [record for record in images if not keepers.of(record)]
    parts.facts.reclaimable_bytes = report.freed_by(doomed, images)


async def watch_store(parts: AdminParts) -> None:
    """Look for ever; a look that fails is told, and the next one may do better."""
    while True:
        try:
            await look_at_store(parts)
        except Exception as error:  # noqa: BLE001 a figure of the metrics must not end anything
            log.warning("cannot tell what the image store could give back: %s", error)
        await asyncio.sleep(LOOK_SECONDS)
