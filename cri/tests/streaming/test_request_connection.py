"""A connection before its session."""

import asyncio

import pytest

from cri.streaming import request_connection
from cri.streaming.request_connection import Begin, RequestConnection
from cri.streaming.wire.http_upgrade import Refused, RequestHead
from cri.tests.streaming.test_client_connection import FakeTransport

GET = b"GET /exec/token HTTP/1.1\r\nHost: a\r\n\r\n"


class EofTransport(FakeTransport):
    """Can also end its own direction."""

    ended = False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True


class Scene:
    """One connection of a server that agrees to everything."""

    def __init__(self, limit: int = 10) -> None:
        self.waiting: dict[RequestConnection, None] = {}
        self.started: list[asyncio.Transport] = []
        self.transport = EofTransport()
        self.connection = RequestConnection(self.begin, self.waiting, limit=limit)

    def begin(self, head: RequestHead) -> Begin:
        if head.path != "/exec/token":
            raise Refused(404, "there is nothing here")
        return Begin(b"HTTP/1.1 101 Switching\r\n\r\n", self.started.append)


async def test_a_good_request_is_answered_and_handed_on() -> None:
    scene = Scene()
    scene.connection.connection_made(scene.transport)
    assert list(scene.waiting) == [scene.connection]
    scene.connection.data_received(GET[:10])
    scene.connection.data_received(GET[10:])
    assert scene.transport.written.startswith(b"HTTP/1.1 101")
    assert scene.started == [scene.transport]
    assert scene.waiting == {}
    scene.connection.abort()
    assert not scene.transport.aborted


async def test_a_refused_request_is_answered_and_ended() -> None:
    scene = Scene()
    scene.connection.connection_made(scene.transport)
    scene.connection.data_received(GET.replace(b"token", b"wrong"))
    assert scene.transport.written.startswith(b"HTTP/1.1 404")
    assert scene.transport.ended
    scene.connection.data_received(b"more")
    scene.connection.connection_lost(None)
    assert scene.waiting == {}


async def test_a_slow_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_connection, "HEAD_SECONDS", 0.0)
    monkeypatch.setattr(request_connection, "CLOSE_SECONDS", 0.0)
    scene = Scene()
    scene.connection.connection_made(scene.transport)
    scene.connection.data_received(GET[:10])
    async with asyncio.timeout(30):
        while not scene.transport.aborted:
            await asyncio.sleep(0)
    assert scene.transport.written.startswith(b"HTTP/1.1 408")


async def test_the_oldest_silent_connection_makes_room() -> None:
    scene = Scene(limit=1)
    scene.connection.connection_made(scene.transport)
    newer, transport = RequestConnection(scene.begin, scene.waiting, limit=1), EofTransport()
    newer.connection_made(transport)
    assert scene.transport.aborted
    newer.data_received(GET)
    assert scene.started == [transport]


async def test_nothing_is_refused_twice() -> None:
    scene = Scene()
    scene.connection.connection_made(scene.transport)
    scene.connection._late()
    scene.connection._late()
    assert scene.transport.aborted
