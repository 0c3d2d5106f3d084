"""The space that all writable layers take, for ImageFsInfo.

Counting means walking them, so a measurement is kept for a while and renewed in the background; nobody waits for one.
Told under the images' mount point when both are on one filesystem: the kubelet takes different ones for a split disk.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from image.model.records import FilesystemUsage
from runtime.drivers.supervisor import Supervisor
from runtime.errors import PodRuntimeError
from runtime.records.resources import WritableLayerUsage

log = logging.getLogger(__name__)

KEPT_SECONDS = 60.0
"""The kubelet asks every 10 s and acts on trends of minutes."""


class LayerCounter(Protocol):
    """What is used of the host."""

    async def layer_usage(self, directory: Path) -> WritableLayerUsage:
        """Count bytes and inodes below a directory."""


@dataclass(kw_only=True)
class ContainerFilesystem:
    """Measures one directory of writable layers."""

    host: LayerCounter
    supervisor: Supervisor
    layers: Path
    images: Path
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._last = FilesystemUsage(
            mountpoint=str(_shown_mountpoint(self.layers, self.images)),
            used_bytes=0,
            inodes_used=0,
            timestamp_ns=time.time_ns(),
        )
        self._due = self.clock()
        self._busy = False

    async def usage(self) -> FilesystemUsage:
        """Return what was measured last; starts a new measurement when that is old."""
        if not self._busy and self.clock() >= self._due:
            self._busy = True
            self.supervisor.spawn(self._measure(), name="measure writable layers")
        return self._last

    async def _measure(self) -> None:
        try:
            counted = await self.host.layer_usage(self.layers)
        except PodRuntimeError as error:
            log.warning("writable layers cannot be measured: %s", error)
        else:
            self._last = FilesystemUsage(
                mountpoint=self._last.mountpoint,
                used_bytes=counted.used_bytes,
                inodes_used=counted.inodes_used,
                timestamp_ns=counted.timestamp_ns,
            )
        finally:
            self._due = self.clock() + KEPT_SECONDS
            self._busy = False


def _shown_mountpoint(layers: Path, images: Path) -> Path:
    same = os.stat(layers).st_dev == os.stat(images).st_dev
    return images if same else layers
