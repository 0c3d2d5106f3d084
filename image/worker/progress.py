"""Progress of the layers of one pull, told often enough to watch and seldom enough to cost nothing.

Promise: `Downloading` and `Extracting` are told at most every tenth of a second per layer, and only when bytes have
moved: the daemon takes silence for a stalled pull. May be called from the pipeline's threads.
"""

import asyncio
import time
from collections.abc import Callable

from image.exchange.messages import PullEvent

_INTERVAL = 0.1


class LayerProgress:
    """The events of one layer."""

    def __init__(self, layer: str, total: int, tell: Callable[[PullEvent], None]) -> None:
        self._layer = layer
        self._total = total
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._next = 0.0
        self._downloaded = False
        self._verifying = False

    def say(self, status: str) -> None:
        """Tell a step without numbers, from the event loop."""
        self._tell(PullEvent(status=status, layer=self._layer, total=self._total))

    def downloaded(self, count: int) -> None:
        """Note how far the download is, from the event loop."""
        if self._due():
            self._tell(
                PullEvent(status="Downloading", layer=self._layer, current=count, total=self._total)
            )
        if count >= self._total > 0:
            self._say_verifying()  # the last byte is here; whoever fetched it compares digests now

    def download_complete(self) -> None:
        """Note that all bytes are here and verified, from the event loop."""
        self._downloaded = True
        self._say_verifying()
        self.say("Download complete")

    def extracted(self, count: int) -> None:
        """Note how much of the tar is on its way to the disk, from a thread."""
        if self._downloaded and self._due():
            event = PullEvent(status="Extracting", layer=self._layer, current=count)
            self._loop.call_soon_threadsafe(self._tell, event)

    def _say_verifying(self) -> None:
        if not self._verifying:
            self._verifying = True
            self.say("Verifying Checksum")

    def _due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _INTERVAL
        return True
