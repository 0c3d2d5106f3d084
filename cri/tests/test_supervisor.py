"""Tasks are named, kept and heard of when they fail."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from cri.supervisor import TaskSupervisor


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise ValueError("why")


async def finish() -> None:
    pass


async def test_a_failure_is_logged_with_the_name(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = TaskSupervisor()
    task = supervisor.spawn(fail(), name="frail")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "task frail failed: why" in caplog.text
    assert supervisor.running() == ()


@pytest.mark.parametrize("ending", [finish, fail])
async def test_an_eternal_task_that_ends_is_logged(
    ending: Callable[[], Coroutine[object, object, None]], caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = TaskSupervisor()
    task = supervisor.spawn_eternal(ending(), name="clock")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "clock" in caplog.text


async def test_a_cancelled_eternal_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = TaskSupervisor()
    task = supervisor.spawn_eternal(forever(), name="clock")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "must run for ever" in caplog.text


async def test_stop_ends_everything_quietly(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = TaskSupervisor()
    supervisor.spawn(forever(), name="a")
    supervisor.spawn_eternal(forever(), name="b")
    assert supervisor.running() == ("a", "b")
    await supervisor.stop()
    assert supervisor.running() == ()
    assert caplog.text == ""
