"""What the pulls of one daemon share: download slots, dead endpoints, and known diff ids.

Promise: it imports nothing heavy, since it is the daemon's half, and believes a worker only within what could be true.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from image.model.records import ImageRecord, LayerRecord
from image.protocol.circuit_breaker import MAX_CIRCUITS, Circuit, bounded
from image.pulls.download_slots import DownloadSlots

_ANSWERS = frozenset({"1xx", "2xx", "3xx", "4xx", "5xx", "failed"})


class RequestObserver(Protocol):
    """Counts what workers tell of registries; must not wait or raise."""

    def registry_answered(self, host: str, answer: str) -> None:
        """Take note of a request: `2xx` to `5xx`, or `failed`."""

    def request_retried(self, reason: str) -> None:
        """Take note that all endpoints of a request failed for now."""


class Neighbours:
    """One per daemon."""

    def __init__(
        self,
        *,
        slots: DownloadSlots | None = None,
        images: Callable[[], Iterable[ImageRecord]] = tuple,
        observer: RequestObserver | None = None,
    ) -> None:
        self.observer = observer
        self.slots = slots or DownloadSlots()
        self._images = images
        self._circuits: dict[str, Circuit] = {}

    def known_layers(self, blobs: Sequence[str]) -> dict[str, LayerRecord]:
        """Give what stored images know of blobs: the diff id was verified when the layer was made (pull rule 1.18)."""
        wanted = set(blobs)
        return {
            layer.digest: layer
            for image in self._images()
            for layer in image.layers
            if layer.digest in wanted
        }

    def note_request(self, host: str, answer: str) -> None:
        """Hand on that a worker asked a registry; nonsense is dropped."""
        if self.observer is not None and answer in _ANSWERS and len(host) <= 255:
            self.observer.registry_answered(host, answer)

    def note_retry(self, reason: str) -> None:
        """Hand on that a worker asks again later; nonsense is dropped."""
        if self.observer is not None and len(reason) <= 32:
            self.observer.request_retried(reason)

    def circuits(self) -> tuple[tuple[str, Circuit], ...]:
        """Give the endpoints that could not be reached."""
        return tuple(self._circuits.items())

    def note_circuit(self, url: str, failures: int, open_until: float) -> None:
        """Take over what a worker learnt; no failures mean that the endpoint answered."""
        if failures <= 0:
            self._circuits.pop(url, None)
            return
        if url not in self._circuits and len(self._circuits) >= MAX_CIRCUITS:
            self._circuits.clear()
        self._circuits[url] = bounded(failures, open_until, now=time.monotonic())
