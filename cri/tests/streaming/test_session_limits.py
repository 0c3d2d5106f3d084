"""What ends sessions from outside."""

import asyncio

import pytest

from cri.streaming.session_limits import SessionLimits
from cri.streaming.wire.session_status import SUCCESS, Outcome
from cri.tests.streaming.test_client_connection import Scene


async def for_ever() -> Outcome:
    await asyncio.get_running_loop().create_future()
    return SUCCESS


async def quick() -> Outcome:
    return Outcome(exit_code=3)


async def failing() -> Outcome:
    raise ValueError("broken")


async def test_work_that_ends_is_the_outcome() -> None:
    limits = SessionLimits(idle_seconds=3600.0)
    assert await limits.bound(quick(), Scene().connection) == Outcome(exit_code=3)


async def test_an_idle_session_is_ended() -> None:
    limits = SessionLimits(idle_seconds=0.01)
    outcome = await limits.bound(for_ever(), Scene().connection)
    assert outcome.failure == "nothing moved for 0.01 s"


async def test_a_stop_ends_the_session() -> None:
    limits = SessionLimits(idle_seconds=3600.0)
    limits.stopping.set()
    outcome = await limits.bound(for_ever(), Scene().connection)
    assert outcome.failure == "the container runtime is stopping"


async def test_a_fault_is_not_hidden() -> None:
    limits = SessionLimits(idle_seconds=3600.0)
    with pytest.raises(ExceptionGroup):
        await limits.bound(failing(), Scene().connection)
