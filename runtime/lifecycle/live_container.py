"""What is known of a container only while this daemon runs: its handle, and what waits for it.

A record says what a container is; this says how to reach it. It is rebuilt at recovery and never stored.
"""

import asyncio
from dataclasses import dataclass, field

from runtime.drivers.driver import ContainerHandle
from runtime.records.resources import CpuUsage, WritableLayerUsage


@dataclass(slots=True)
class LiveContainer:
    """The live side of one container."""

    handle: ContainerHandle | None = None
    """None once it is known to be gone from the runtime."""
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after EXITED was published."""
    start_settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear while a start is under way, so that RUNNING is always published before EXITED."""
    stopping: bool = False
    """A stop has begun: no start any more."""
    signalled: bool = False
    """The stop signal was sent; it is sent once ever."""
    paused: bool = False
    cpu_sample: CpuUsage | None = None
    """Last reading, with the rate that it gave."""
    layer_usage: WritableLayerUsage | None = None
    layer_usage_until: float = 0.0
    """Loop time until which `layer_usage` is new enough."""
    _kill_at: float | None = None
    """Loop time at which patience ends; it only ever moves towards now."""
    _patience: asyncio.Timeout | None = None

    def __post_init__(self) -> None:
        self.start_settled.set()

    def shorten_grace(self, seconds: float) -> None:
        """Let a stop that runs, or is about to, kill the container in `seconds` at the latest."""
        wanted = asyncio.get_running_loop().time() + max(0.0, seconds)
        if self._kill_at is not None and wanted >= self._kill_at:
            return
        self._kill_at = wanted
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(wanted)

    def grace_over(self) -> bool:
        """Tell whether no grace is left at all."""
        return self._kill_at is None or self._kill_at <= asyncio.get_running_loop().time()

    async def wait_exited_in_grace(self) -> bool:
        """Wait for EXITED until the grace, which others may shorten meanwhile, is over; False then."""
        try:
            async with asyncio.timeout_at(self._kill_at) as self._patience:
                await self.exited.wait()
        except TimeoutError:
            return False
        finally:
            self._patience = None
        return True

    async def wait_exited(self, seconds: float) -> bool:
        """Wait for EXITED; False at the limit."""
        try:
            async with asyncio.timeout(seconds):
                await self.exited.wait()
        except TimeoutError:
            return False
        return True

    def forget_grace(self) -> None:
        """Start anew after a stop has ended."""
        self._kill_at = None
