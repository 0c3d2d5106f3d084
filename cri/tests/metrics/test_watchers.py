"""The loop's lag is measured, and ends of containers are seen."""

import asyncio

from cri.metrics.watchers import watch_exits, watch_loop_lag
from cri.tests.sample_records import CONTAINER_ID, container_record, sandbox_record
from runtime.lifecycle.event_stream import EventKind, EventStream, LifecycleEvent
from runtime.records.container import ContainerRecord


async def test_the_lag_is_told_again_and_again() -> None:
    told: list[float] = []
    enough = asyncio.Event()

    def note(seconds: float) -> None:
        told.append(seconds)
        if len(told) == 3:
            enough.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch_loop_lag(note, interval=0.0))
        await enough.wait()
        task.cancel()
    assert all(one >= 0 for one in told)


async def test_only_ends_of_containers_are_noted() -> None:
    events, ended = EventStream(), list[ContainerRecord]()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch_exits(events, ended.append))
        await asyncio.sleep(0)
        for kind in (EventKind.STARTED, EventKind.STOPPED):
            events.publish(
                LifecycleEvent(
                    kind=kind,
                    object_id=CONTAINER_ID,
                    at_ns=1,
                    sandbox=sandbox_record(),
                    containers=(container_record(id="d" * 64), container_record()),
                )
            )
        events.close()
    assert [one.id for one in ended] == [CONTAINER_ID]
