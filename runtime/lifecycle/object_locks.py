"""One lock per pod or container: what may not happen to an object at the same time happens one after the other.

Locks exist only while somebody holds or wants them. Who waits too long is told who holds the lock, for what and since
when. Lists, status, exec and exits take no lock.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from runtime.errors import DeadlineExceeded


@dataclass(slots=True)
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0
    purpose: str = ""
    since: float = 0.0


class ObjectLocks:
    """The locks, by object id."""

    def __init__(self, *, timeout_seconds: float = 120.0) -> None:
        self._locks: dict[str, _Lock] = {}
        self._timeout_seconds = timeout_seconds

    def held(self) -> tuple[tuple[str, str], ...]:
        """Return id and purpose of each lock that is held, for diagnosis."""
        return tuple((id, one.purpose) for id, one in self._locks.items() if one.lock.locked())

    @asynccontextmanager
    async def hold(self, id: str, purpose: str) -> AsyncIterator[None]:
        """Hold the lock of an object.

        Raises:
            DeadlineExceeded: another operation held it for too long.
        """
        one = self._locks.setdefault(id, _Lock())
        one.wanted += 1
        try:
            await self._acquire(one, purpose)
            try:
                one.purpose, one.since = purpose, asyncio.get_running_loop().time()
                yield
            finally:
                one.lock.release()
        finally:
            one.wanted -= 1
            if not one.wanted:
                self._locks.pop(id, None)

    async def _acquire(self, one: _Lock, purpose: str) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await one.lock.acquire()
        except TimeoutError as error:
            age = asyncio.get_running_loop().time() - one.since
            raise DeadlineExceeded(
                purpose,
                f"waited {self._timeout_seconds:g} s for {one.purpose}, which runs since {age:.0f} s",
                remedy="see what that waits for",
                reason="LockTimeout",
            ) from error
