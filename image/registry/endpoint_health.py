"""Remembers endpoints that could not be reached, so that one dead mirror does not delay every layer.

Only changes an order, for half a minute; never takes an endpoint out.
"""

import time
from collections.abc import Callable, Sequence

from image.protocol.mirror_rules import Endpoint

_MEMORY = 30.0  # seconds; about one connect deadline, so a dead mirror costs one per half minute
_MAX_ENDPOINTS = 1024


class EndpointHealth:
    """Shared by all requests of one client."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._doubted_until: dict[str, float] = {}

    def note_unreachable(self, endpoint: Endpoint) -> None:
        """Ask `endpoint` after the others for a while."""
        if len(self._doubted_until) >= _MAX_ENDPOINTS:
            self._doubted_until.clear()
        self._doubted_until[endpoint.url] = self._clock() + _MEMORY

    def order(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Give `endpoints` with the doubted ones last, otherwise in their own order."""
        now = self._clock()
        return sorted(endpoints, key=lambda one: self._doubted_until.get(one.url, now) > now)
