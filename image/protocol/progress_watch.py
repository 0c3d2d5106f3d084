"""Minimum progress of a transfer: a peer that sends a byte now and then does not hold a download for ever.

Pure: clock readings are passed in.
"""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class ProgressWatch:
    """Counts the bytes of a window of time."""

    window: float = 60.0
    """Seconds; with `minimum` this asks for about 1 KiB/s, below any usable line."""
    minimum: int = 64 * 1024
    """Bytes that each full window must bring."""
    started: float
    """Clock reading at which the current window began."""
    received: int = 0

    def note(self, count: int, *, now: float) -> bool:
        """Count `count` bytes at clock reading `now`; False when a full window brought too few."""
        self.received += count
        if now - self.started < self.window:
            return True
        enough = self.received >= self.minimum
        self.started, self.received = now, 0
        return enough

    def pause(self, seconds: float) -> None:
        """Leave out time in which nobody wanted bytes: a slow reader is not the peer's fault."""
        self.started += seconds
