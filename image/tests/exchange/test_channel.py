"""Tests of framing."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from image.errors import FailedPrecondition
from image.exchange import channel as channel_module
from image.exchange.channel import Channel, receive_first

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
        struct.pack(">I", 0),
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 3) + b"\xff{}",
    ],
)
async def test_nonsense_is_refused(ends: Ends, frame: bytes) -> None:
    channel, theirs = ends
    theirs.sendall(frame)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(FailedPrecondition):
        await channel.receive()


@pytest.mark.parametrize("frame", [b"", b"\0\0", struct.pack(">I", 5) + b"{"])
async def test_a_peer_that_was_killed_while_it_wrote_has_ended(ends: Ends, frame: bytes) -> None:
    channel, theirs = ends
    theirs.sendall(frame)
    theirs.shutdown(socket.SHUT_WR)
    assert await channel.receive() is None


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09{}"])
def test_a_first_message_that_is_cut_off_is_the_end(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(sent)
    ours.close()
    assert receive_first(theirs) is None
    theirs.close()


async def test_own_message_above_the_limit_is_refused(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "MAX_FRAME", 10)
    with pytest.raises(FailedPrecondition, match="above 10"):
        ends[0].send({"kind": "much too long"})


def _nonblocking(end: socket.socket) -> socket.socket:
    end.setblocking(False)
    return end


def test_the_first_message_leaves_the_next_to_the_channel() -> None:
    ours, theirs = socket.socketpair()
    for number in (1, 2):
        body = b'{"n": %d}' % number
        ours.sendall(len(body).to_bytes(4, "big") + body)
    first = receive_first(theirs)
    assert first is not None
    assert first.integer("n") == 1
    ours.close()
    second = receive_first(theirs)
    assert second is not None
    assert second.integer("n") == 2
    assert receive_first(theirs) is None
    theirs.close()


@pytest.mark.parametrize(
    "sent", [b"\0\0\0\0", b"\0\0\0\x02[]", b"\xff\xff\xff\xff"], ids=["empty", "list", "too large"]
)
def test_a_first_message_that_is_no_frame_is_refused(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(sent)
    ours.close()
    with pytest.raises(FailedPrecondition):
        receive_first(theirs)
    theirs.close()
