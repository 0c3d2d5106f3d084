"""Remembers endpoints that could not be reached, so that a dead mirror costs one short wait and then nothing.

Changes an order and never takes an endpoint out: one that failed is asked last until it has answered a probe. What is
learnt is told to a listener, because the next pull runs in another process.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from image.protocol.circuit_breaker import MAX_CIRCUITS, Circuit, after_failure
from image.protocol.mirror_rules import Endpoint

Listener = Callable[[str, Circuit | None], None]


class EndpointHealth:
    """Shared by all requests of one client."""

    def __init__(
        self,
        *,
        known: Mapping[str, Circuit] | None = None,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._listener = listener
        self._circuits: dict[str, Circuit] = dict(known or {})
        self._probed: set[str] = set()

    def note_unreachable(self, endpoint: Endpoint) -> None:
        """Ask `endpoint` after the others until it has answered."""
        before = self._circuits.get(endpoint.url)
        if before is None and len(self._circuits) >= MAX_CIRCUITS:
            self._circuits.clear()
        after = self._circuits[endpoint.url] = after_failure(before, now=self._clock())
        if after is not before:
            self._tell(endpoint.url, after)

    def note_answer(self, endpoint: Endpoint) -> None:
        """Trust `endpoint` again: it answered, whatever it said."""
        if self._circuits.pop(endpoint.url, None) is not None:
            self._tell(endpoint.url, None)

    def is_dead(self, endpoint: Endpoint) -> bool:
        """Tell whether `endpoint` could not be reached and has not answered since."""
        return endpoint.url in self._circuits

    def order(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Give `endpoints` with those that failed last, otherwise in their own order."""
        return sorted(endpoints, key=lambda one: one.url in self._circuits)

    def take_due(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Give those that have been left alone long enough, each once: the caller probes them."""
        now = self._clock()
        due = [
            one
            for one in endpoints
            if one.url not in self._probed
            and (circuit := self._circuits.get(one.url)) is not None
            and circuit.is_due(now)
        ]
        self._probed.update(one.url for one in due)
        return due

    def _tell(self, url: str, circuit: Circuit | None) -> None:
        if self._listener is not None:
            self._listener(url, circuit)
