"""Collect unneeded content of the image store now and then, for as long as the daemon runs.

Removal of an image deletes at once what only that image needed. What stays behind are layers of pulls that failed, kept
for the next attempt, and whatever could not be deleted at its time. Never ends by itself, whatever the disk does.
"""

import asyncio
import logging
from typing import Protocol

from image.errors import ImageError

log = logging.getLogger(__name__)


class Collectable(Protocol):
    """What is used of the image store."""

    async def collect(self) -> int:
        """Delete what nothing needs; return how many things that were."""


async def collect_periodically(store: Collectable, seconds: float) -> None:
    """Collect every so many seconds."""
    while True:
        await asyncio.sleep(seconds)
        try:
            count = await store.collect()
        except (ImageError, OSError) as error:
            log.warning("unneeded content of the image store stays for now: %s", error)
        else:
            if count:
                log.info("image store: deleted %d things that nothing needed", count)
