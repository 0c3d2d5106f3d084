"""Tests of framing."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from image.errors import FailedPrecondition
from image.worker import channel as channel_module
from image.worker.channel import Channel

Ends = tuple[Channel, socket.socket]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    channel = await Channel.open(ours)
    yield channel, theirs
    theirs.close()
    await channel.close()


async def test_message_arrives_whole(ends: Ends) -> None:
    channel, theirs = ends
    other = await Channel.open(_nonblocking(theirs))
    channel.send({"kind": "x", "text": "ä" * 300_000})
    async with asyncio.TaskGroup() as group:
        group.create_task(channel.wait_sent())
        received = group.create_task(other.receive())
    message = received.result()
    assert message is not None
    assert message.text("text") == "ä" * 300_000
    await other.close()
    assert await channel.receive() is None


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">I", 0xFFFFFFFF),
        struct.pack(">I", 5) + b"{",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 3) + b"\xff{}",
        b"\0\0",
    ],
)
async def test_nonsense_is_refused(ends: Ends, frame: bytes) -> None:
    channel, theirs = ends
    theirs.sendall(frame)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(FailedPrecondition):
        await channel.receive()


async def test_own_message_above_the_limit_is_refused(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "MAX_FRAME", 10)
    with pytest.raises(FailedPrecondition, match="above 10"):
        ends[0].send({"kind": "much too long"})


def _nonblocking(end: socket.socket) -> socket.socket:
    end.setblocking(False)
    return end
