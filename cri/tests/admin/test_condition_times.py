"""A condition holds since it changed, however often it was asked."""

import asyncio

from cri.admin.condition_times import ConditionTimes
from cri.admin.parts import ConditionFact


def fact(*, ready: bool) -> ConditionFact:
    return ConditionFact(type="NetworkReady", ready=ready, reason="", message="")


def test_the_moment_of_the_last_change_is_kept() -> None:
    moments, now = iter([10, 20]), [fact(ready=False)]
    times = ConditionTimes(lambda: now, lambda: next(moments))
    assert [times.facts()[0].since_ns for _ in range(3)] == [10] * 3
    now[0] = fact(ready=True)
    assert [times.facts()[0].since_ns for _ in range(2)] == [20] * 2


async def test_changes_are_noticed_without_being_asked() -> None:
    looked = asyncio.Event()

    def look() -> tuple[ConditionFact, ...]:
        looked.set()
        return (fact(ready=True),)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(ConditionTimes(look).watch(), name="watch")
        async with asyncio.timeout(30):
            await looked.wait()
        watching.cancel()
