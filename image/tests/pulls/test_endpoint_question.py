"""Answers about endpoints are read strictly, and every failure is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from image.errors import DeadlineExceeded, ImageError, Internal, NotFound, Unavailable
from image.exchange.channel import Channel
from image.exchange.messages import error_message
from image.protocol.endpoint_outcome import EndpointReport
from image.pulls.endpoint_question import ask_endpoints
from image.pulls.worker_pool import WorkerPool
from image.tests.exchange.test_messages import request

ENDPOINT = {
    "url": "http://m/v2/a/manifests/1",
    "rule": "origin",
    "auth": "anonymous",
    "why": "no pull secret",
    "asked": True,
    "works": True,
    "result": "200",
    "digest": "",
    "milliseconds": 80,
}


class OneWorker:
    """A pool whose worker says what the test wants."""

    def __init__(self, say: Callable[[Channel], None], *, leave: bool = True) -> None:
        self._say = say
        self._leave = leave

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Channel]:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        daemon, worker = await Channel.open(ours), await Channel.open(theirs)
        self._say(worker)
        await worker.wait_sent()
        if self._leave:
            await worker.close()
        try:
            yield daemon
        finally:
            await daemon.close()
            await worker.close()


async def ask(
    say: Callable[[Channel], None], *, leave: bool = True, seconds: float = 5.0
) -> tuple[EndpointReport, ...]:
    pool = cast(WorkerPool, OneWorker(say, leave=leave))
    return await ask_endpoints(pool, request(None), seconds)


async def test_an_answer_is_read() -> None:
    def say(channel: Channel) -> None:
        channel.send({"kind": "circuit"})
        channel.send({"kind": "endpoints", "endpoints": [ENDPOINT]})

    (one,) = await ask(say)
    assert (one.url, one.works, one.seconds) == (ENDPOINT["url"], True, 0.08)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (error_message(NotFound("x", "y")), NotFound),
        ({"kind": "endpoints", "endpoints": [{}]}, Internal),
        ({"kind": "circuit"}, Unavailable),
    ],
)
async def test_failures_are_told(message: dict[str, object], error: type[ImageError]) -> None:
    with pytest.raises(error):
        await ask(lambda channel: channel.send(message))


async def test_a_silent_worker_has_a_limit() -> None:
    with pytest.raises(DeadlineExceeded, match="dial_timeout"):
        await ask(lambda _: None, leave=False, seconds=0.01)
    assert asyncio.get_running_loop().is_running()
