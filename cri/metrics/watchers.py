"""Tasks that watch the daemon for as long as it runs: the loop's lag, and the ends of containers.

They only take note; what they watch does not know of them.
"""

import asyncio
from collections.abc import Callable

from runtime.lifecycle.event_stream import EventKind, EventStream
from runtime.records.container import ContainerRecord

LAG_SECONDS = 1.0
"""Interval of the lag's measurement; a wake-up a second costs nothing that can be measured."""


async def watch_loop_lag(note: Callable[[float], None], interval: float = LAG_SECONDS) -> None:
    """Measure for ever how much later than asked for the loop wakes a task."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        note(max(0.0, loop.time() - due))


async def watch_exits(events: EventStream, note: Callable[[ContainerRecord], None]) -> None:
    """Take note of each container's end until the stream is closed."""
    subscription = events.subscribe()
    try:
        async for event in subscription:
            if event.kind is not EventKind.STOPPED:
                continue
            for record in event.containers:
                if record.id == event.object_id:
                    note(record)
    finally:
        events.unsubscribe(subscription)
