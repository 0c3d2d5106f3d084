"""Which running pull downloads which blob, and which pulls need it: each blob is on one flight at a time.

Pure state. Deadlock is impossible as long as the holder of a flight waits for nothing but a download slot and the
network until it lands: a holder never waits for another flight, nor for a layer.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable


class _Flight:
    """A blob that is downloaded, and those who wait for their turn with it."""

    def __init__(self) -> None:
        # First come, first served; a waiter that is cancelled leaves no trace.
        self.lock = asyncio.Lock()
        self.users = 0


class BlobFlights:
    """One per store."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._wanted: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self.resumed_bytes = 0
        """Bytes that pulls took from files of earlier downloads instead of fetching them, since the start."""

    async def acquire(self, digest: str) -> None:
        """Wait until nobody downloads the blob, and become the one who does."""
        flight = self._flights.setdefault(digest, _Flight())
        flight.users += 1
        try:
            await flight.lock.acquire()
        except BaseException:
            self._leave(digest, flight)
            raise

    def release(self, digest: str) -> None:
        """End a flight; the next who waits takes over, with the file as it is."""
        flight = self._flights[digest]
        flight.lock.release()
        self._leave(digest, flight)

    def _leave(self, digest: str, flight: _Flight) -> None:
        flight.users -= 1
        if not flight.users:
            del self._flights[digest]

    def want(self, digest: str) -> None:
        """Note that one more pull needs a blob."""
        self._wanted[digest] += 1

    def unwant(self, digests: Iterable[str]) -> None:
        """Note that one pull fewer needs each of these blobs."""
        for digest in digests:
            self._wanted[digest] -= 1
            if self._wanted[digest] <= 0:
                del self._wanted[digest]

    def is_wanted(self, digest: str) -> bool:
        """Tell whether a running pull needs a blob."""
        return digest in self._wanted

    def note_made(self, digest: str) -> None:
        """Note that a running pull has published the layers of a blob; its image is not there yet."""
        self._made[digest] += 1

    def forget_made(self, digests: Iterable[str]) -> None:
        """Take back `note_made` for each: the pull has ended."""
        for digest in digests:
            self._made[digest] -= 1
            if self._made[digest] <= 0:
                del self._made[digest]

    def is_near(self, digest: str) -> bool:
        """Tell whether a running pull needs a blob or has made its layer, so that nobody begins it on suspicion."""
        return digest in self._wanted or digest in self._made
