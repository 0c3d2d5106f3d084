"""Events reach everybody who keeps up, and never make the publisher wait."""

from runtime.lifecycle.event_stream import EventKind, EventStream, LifecycleEvent


def event(number: int) -> LifecycleEvent:
    return LifecycleEvent(kind=EventKind.STARTED, object_id=str(number), at_ns=number, sandbox=None)


async def test_each_subscriber_gets_everything_from_its_beginning() -> None:
    stream = EventStream()
    first = stream.subscribe()
    stream.publish(event(1))
    second = stream.subscribe()
    stream.publish(event(2))
    stream.close()
    assert [one.object_id async for one in first] == ["1", "2"]
    assert [one.object_id async for one in second] == ["2"]


async def test_one_that_does_not_keep_up_loses_the_newest_and_knows_how_many() -> None:
    stream = EventStream(limit=2)
    slow = stream.subscribe()
    for number in range(5):
        stream.publish(event(number))
    assert (slow.dropped, stream.dropped) == (3, 3)
    stream.close()
    assert [one.object_id async for one in slow] == ["1"]


async def test_one_that_left_is_forgotten() -> None:
    stream = EventStream(limit=1)
    gone = stream.subscribe()
    stream.unsubscribe(gone)
    stream.unsubscribe(gone)
    stream.publish(event(1))
    stream.publish(event(2))
    assert stream.dropped == 0


async def test_after_the_end_a_new_subscription_ends_at_once() -> None:
    stream = EventStream()
    stream.close()
    stream.close()
    assert [one async for one in stream.subscribe()] == []
