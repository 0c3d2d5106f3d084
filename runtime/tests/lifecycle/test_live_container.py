"""Grace only ever gets shorter, and EXITED ends every wait."""

import asyncio

from runtime.lifecycle.live_container import LiveContainer


async def test_without_any_grace_it_is_over() -> None:
    live = LiveContainer()
    assert live.grace_over()
    live.shorten_grace(0)
    assert live.grace_over()
    live.forget_grace()
    live.shorten_grace(100)
    assert not live.grace_over()


async def test_an_exit_ends_the_wait() -> None:
    live = LiveContainer()
    live.shorten_grace(100)
    waiting = asyncio.create_task(live.wait_exited_in_grace())
    await asyncio.sleep(0)
    live.exited.set()
    assert await waiting


async def test_a_shortened_grace_ends_the_wait() -> None:
    live = LiveContainer()
    live.shorten_grace(100)
    waiting = asyncio.create_task(live.wait_exited_in_grace())
    await asyncio.sleep(0)
    live.shorten_grace(200)
    live.shorten_grace(0)
    assert not await waiting


async def test_a_plain_wait_has_its_own_limit() -> None:
    live = LiveContainer()
    assert not await live.wait_exited(0)
    live.exited.set()
    assert await live.wait_exited(1)
