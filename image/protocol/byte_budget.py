"""A limit of bytes per second, kept by waiting after what was received.

Pure: clock readings are passed in. Unused time is not saved up beyond a quarter of a second, so a pause is followed by
no burst.
"""

_BURST_SECONDS = 0.25


class ByteBudget:
    """The account of one transfer."""

    def __init__(self, *, now: float) -> None:
        self._free_at = now

    def spend(self, count: int, *, now: float, rate: int) -> float:
        """Give the seconds to wait after `count` bytes at `rate` bytes per second; 0 is no limit."""
        if rate <= 0:
            return 0.0
        start = max(self._free_at, now - _BURST_SECONDS)
        self._free_at = start + count / rate
        return max(0.0, self._free_at - now)
