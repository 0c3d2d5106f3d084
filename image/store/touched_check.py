"""After a stop that was not clean, look at what was written since the last clean one; a clean stop leaves nothing to do.

Promise: only content written since then is read, one thing after the other, while the daemon serves already. What is
damaged is named with its images and taken out, so that it is pulled again; containers that use it keep it. Found once,
an answer is remembered, so that a second crash does not begin anew.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from image.errors import ImageError
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from image.store.fsck import Damage, Item, items_of

log = logging.getLogger(__name__)


class Checkable(Protocol):
    """What is used of the image store."""

    @property
    def root(self) -> Path:
        """The directory of the store."""

    def suspects(self) -> frozenset[str]:
        """Return what was written before a stop that was not clean."""

    def list_images(self) -> Sequence[ImageRecord]:
        """Return all images."""

    async def report(self) -> DiskReport:
        """Return what is on disk."""

    async def settle(self, digests: frozenset[str]) -> None:
        """Note that contents were looked at."""

    async def examine(self, item: Item) -> Damage | None:
        """Return what is wrong with one of them."""

    async def renew(self, chain_id: str) -> None:
        """Mend a layer without fetching it."""

    async def condemn(self, chain_id: str) -> None:
        """Take a layer out with its images."""

    async def remove(self, text: str) -> None:
        """Remove an image."""

    async def collect(self, keep: frozenset[str] = frozenset()) -> int:
        """Delete what nothing needs but these layers; return how many things that were."""


async def check_touched(store: Checkable) -> None:
    """Look at every suspect of a store."""
    suspects = store.suspects()
    if not suspects:
        return
    begin, size, damaged = time.monotonic(), 0, 0
    images, report = store.list_images(), await store.report()
    # What a pull had published when it was broken off stays a suspect, which keeps it for the next attempt.
    idle = report.layers.keys() - {one.chain_id for image in images for one in image.layers}
    suspects -= idle
    items = items_of(store.root, images, report)
    wanted = [
        item
        for item in items
        if (item.digest if item.kind == "layer" else item.images[0]) in suspects
    ]
    log.info("the last stop was not clean: checking %d things written before it", len(wanted))
    for item in wanted:
        try:
            damaged += await _check(store, item)
        except (ImageError, OSError) as error:
            log.warning("%s %s stays unchecked: %s", item.kind, item.digest, error)
            suspects -= {item.digest, *item.images}
        size += item.size_bytes
    await store.settle(suspects)
    # What was removed while it was looked at was kept for that long.
    await store.collect(frozenset(idle))
    seconds = time.monotonic() - begin
    log.info("checked %d bytes in %.1f s: %d things were damaged", size, seconds, damaged)


async def _check(store: Checkable, item: Item) -> bool:
    """Look at one thing and take it out if it is damaged; tell whether it was."""
    damage = await store.examine(item)
    if damage is None:
        return False
    names = {record.id: record for record in store.list_images()}
    affected = [names[one] for one in item.images if one in names]
    shown = ", ".join((one.repo_tags or one.repo_digests or (one.id,))[0] for one in affected)
    if damage.is_of_index:
        await store.renew(item.digest)
        log.warning("layer %s of %s: %s; it was made again", item.digest, shown, damage.cause)
        return True
    log.error("%s %s of %s is damaged: %s; pull again", item.kind, item.digest, shown, damage.cause)
    if item.kind == "layer":
        await store.condemn(item.digest)
    else:
        for record in affected:
            await store.remove(record.id)
    return True
