"""Who is told of requests to registries while they are made: counters, and those who watch a pull.

A declaration; a listener must neither wait nor raise, and learns no URL, header or credential.
"""

from typing import Protocol

from image.protocol.endpoint_outcome import Outcome


class RequestListener(Protocol):
    """Hears of answers and pauses."""

    def answered(self, host: str, answer: str) -> None:
        """Take note of a request to a host: `2xx` to `5xx`, or `failed` when no answer came."""

    def pauses(self, seconds: float, last: Outcome) -> None:
        """Take note that all endpoints failed for now, the last one so, and are asked again in this many seconds."""
