"""Who is told when pods and containers come, start, end and go.

Publishing never waits: each subscriber has a bounded queue, and one that does not keep up loses the newest events, which
are counted. Nobody gets events from before it subscribed: the kubelet lists first.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

from runtime.records.container import ContainerRecord
from runtime.records.sandbox import SandboxRecord

QUEUE_LIMIT = 1000
"""As CRI-O has it."""


class EventKind(StrEnum):
    """CRI ContainerEventType."""

    CREATED = "created"
    STARTED = "started"
    STOPPED = "stopped"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class LifecycleEvent:
    """What happened; of a pod itself when `object_id` is the sandbox's id."""

    kind: EventKind
    object_id: str
    at_ns: int
    sandbox: SandboxRecord | None
    """The pod as it is now; as it last was when it is DELETED."""
    containers: tuple[ContainerRecord, ...] = ()
    """The pod's containers as they are now."""


class Subscription:
    """One listener's queue; iterate over it."""

    def __init__(self, limit: int) -> None:
        self._queue: asyncio.Queue[LifecycleEvent | None] = asyncio.Queue(limit)
        self.dropped = 0
        """Events lost because the listener was too slow."""

    def __aiter__(self) -> AsyncIterator[LifecycleEvent]:
        return self._events()

    async def _events(self) -> AsyncIterator[LifecycleEvent]:
        while (event := await self._queue.get()) is not None:
            yield event

    def offer(self, event: LifecycleEvent) -> None:
        """Queue an event, or count it as lost."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1

    def end(self) -> None:
        """End the iteration after what is queued; makes room when the queue is full."""
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(None)


class EventStream:
    """All subscriptions."""

    def __init__(self, *, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def dropped(self) -> int:
        """Events lost by the present subscribers."""
        return sum(one.dropped for one in self._subscriptions)

    def subscribe(self) -> Subscription:
        """Return a queue of everything from now on; hand it back to `unsubscribe`."""
        subscription = Subscription(self._limit)
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.end()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription; idempotent."""
        self._subscriptions.discard(subscription)

    def publish(self, event: LifecycleEvent) -> None:
        """Tell everybody; never waits."""
        for subscription in self._subscriptions:
            subscription.offer(event)

    def close(self) -> None:
        """End all iterations, for the shutdown; idempotent."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
