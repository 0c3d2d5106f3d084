"""One pull's blobs: what it needs, which of them it downloads now, and what becomes of their files when it ends.

Promise: a file lives while a pull needs it; it goes when the layer made from it is published, or the pull has succeeded,
and nobody else needs it. After a pull that failed for another reason than its content it stays within
the limits, for the next one.
"""

import asyncio
from collections.abc import Iterable

from image.errors import FailedPrecondition, InvalidArgument
from image.model.digest import Digest
from image.store.blob_flights import BlobFlights
from image.store.disk_trouble import is_disk_full
from image.store.partial_blobs import PartialBlobs


class PullBlobs:
    """The blobs of one pull; `leave` and `clear` when its worker is dead."""

    def __init__(self, flights: BlobFlights, partials: PartialBlobs) -> None:
        self._flights = flights
        self._partials = partials
        self._wanted: set[Digest] = set()
        self._past: set[Digest] = set()
        self._held: set[Digest] = set()
        self._made: set[Digest] = set()

    def want(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Note what the image consists of; give those blobs that no other pull needs."""
        fresh = []
        for digest in dict.fromkeys(digests):
            if digest not in self._wanted:
                if not self._flights.is_near(digest):
                    fresh.append(digest)
                self._wanted.add(digest)
                self._flights.want(digest)
        return tuple(fresh)

    async def acquire(self, digest: Digest) -> None:
        """Wait for the flight of a blob: until nobody else downloads it."""
        self.want([digest])
        await self._flights.acquire(digest)
        self._held.add(digest)

    def release(self, digest: Digest) -> None:
        """Give a flight back; one that is not held is fine."""
        if digest in self._held:
            self._held.remove(digest)
            self._flights.release(digest)

    def note_resumed(self, count: int) -> None:
        """Count bytes that were taken from a file instead of the network."""
        self._flights.resumed_bytes += max(0, count)

    async def spend(self, digest: Digest) -> None:
        """Note that every layer which this pull makes from a blob is published."""
        if digest in self._wanted:
            self._wanted.remove(digest)
            self._flights.unwant([digest])
            if digest not in self._made:
                self._made.add(digest)
                self._flights.note_made(digest)
            await self._remove([digest])

    def leave(self) -> None:
        """Give up flights and wishes; the worker is dead. Repeating it is fine."""
        for digest in tuple(self._held):
            self.release(digest)
        self._flights.unwant(self._wanted)
        self._past |= self._wanted
        self._wanted = set()
        self._flights.forget_made(self._made)
        self._made = set()

    async def clear(
        self, image: Iterable[Digest] | None, error: BaseException | None = None
    ) -> None:
        """Delete what is of no more use, and what is beyond the limits.

        Args:
            image: the blobs of the image that is here now; None when the pull has failed.
            error: why it failed. What was refused for its content would be refused again, so its blobs go; on a full
                disk all goes that no pull needs.
        """
        if image is not None or isinstance(error, FailedPrecondition | InvalidArgument):
            await self._remove({*self._past, *(image or ())})
        clear = self._partials.remove_idle if is_disk_full(error) else self._partials.collect
        await asyncio.to_thread(clear, self._flights.is_wanted)

    async def _remove(self, digests: Iterable[Digest]) -> None:
        idle = [digest for digest in digests if not self._flights.is_wanted(digest)]
        if idle:
            await asyncio.to_thread(self._partials.remove, idle)
