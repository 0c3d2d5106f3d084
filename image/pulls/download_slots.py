"""How many downloads run at a time, per registry and in all, whose turn is next, and how fast each may be.

Promise: what is small goes before what is huge, yet nobody is overtaken for ever; a slot is given out as soon as one is
free. The daemon's half: it imports nothing heavy.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

_PATIENCE = 32
"""How often a huge image lets smaller ones go first."""


class _Waiter:
    def __init__(self, registry: str, size: int) -> None:
        self.registry = registry
        self.size = size
        self.overtaken = 0
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class DownloadSlots:
    """One per daemon; a limit of 0 is none."""

    def __init__(self, *, total: int = 0, per_registry: int = 0, bytes_per_second: int = 0) -> None:
        self._total = total
        self._per_registry = per_registry
        self._bytes_per_second = bytes_per_second
        self._active: Counter[str] = Counter()
        self._waiting: list[_Waiter] = []
        self._listeners: list[Callable[[int], None]] = []

    async def acquire(self, registry: str, size: int) -> None:
        """Wait for a slot.

        Args:
            registry: host that the bytes come from.
            size: bytes of the whole image; smaller ones go first.
        """
        waiter = _Waiter(registry, size)
        self._waiting.append(waiter)
        self._grant()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                self.release(registry)
            else:
                self._waiting.remove(waiter)
            raise

    def release(self, registry: str) -> None:
        """Give a slot back."""
        self._active[registry] -= 1
        self._grant()
        self._tell_rate()

    @property
    def active(self) -> int:
        """How many downloads run now."""
        return self._active.total()

    @property
    def rate(self) -> int:
        """Bytes per second for each running download; 0 is no limit."""
        if not self._bytes_per_second:
            return 0
        return max(1, self._bytes_per_second // max(1, self.active))

    def listen(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Tell `listener` the rate whenever it changes; call what is returned to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _grant(self) -> None:
        while (chosen := self._next()) is not None:
            for waiter in self._waiting[: self._waiting.index(chosen)]:
                if self._has_room(waiter):
                    waiter.overtaken += 1
            self._waiting.remove(chosen)
            self._active[chosen.registry] += 1
            chosen.granted.set_result(None)
            self._tell_rate()

    def _next(self) -> _Waiter | None:
        ready = [waiter for waiter in self._waiting if self._has_room(waiter)]
        patient = [waiter for waiter in ready if waiter.overtaken >= _PATIENCE]
        return patient[0] if patient else min(ready, key=lambda waiter: waiter.size, default=None)

    def _has_room(self, waiter: _Waiter) -> bool:
        if waiter.granted.done():
            return False  # cancelled; it takes itself out
        free = not self._total or self.active < self._total
        alone = self._active[waiter.registry]
        return free and (not self._per_registry or alone < self._per_registry)

    def _tell_rate(self) -> None:
        if self._bytes_per_second:
            for listener in tuple(self._listeners):
                listener(self.rate)
