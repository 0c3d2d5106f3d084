"""HTTP over a real socket pair: answers, streams, limits, and clients that leave."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

import cri.admin.http_connection
from cri.admin.http_connection import ConnectionLimits, HttpConnection
from cri.admin.http_messages import Reply, Request, Responder


@dataclass
class Client:
    """Our end of the connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served: asyncio.Task[None]

    async def talk(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.read()


@asynccontextmanager
async def connected(responder: Responder, **limits: float) -> AsyncIterator[Client]:
    ours, theirs = socket.socketpair()
    wanted = ConnectionLimits(idle_seconds=limits.get("idle", 5.0))
    async with asyncio.TaskGroup() as group:
        connection = HttpConnection(*await asyncio.open_connection(sock=theirs), responder, wanted)
        served = group.create_task(connection.serve())
        reader, writer = await asyncio.open_connection(sock=ours)
        yield Client(reader, writer, served)
        writer.close()


async def echo(request: Request) -> Reply:
    body = b"".join([piece async for piece in request.body.pieces()])
    text = f"{request.method} {request.path} {dict(request.query)} ".encode()
    return Reply(body=text + body)


async def test_requests_are_answered_one_after_another() -> None:
    async with connected(echo) as client:
        first = b"POST /a%20b?x=1&x=2 HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc"
        second = b"GET /c HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n"
        answer = await client.talk(first + second)
        assert b"POST /a b {'x': '2'} abc" in answer
        assert answer.endswith(b"GET /c {} ")
        assert answer.count(b"HTTP/1.1 200") == 2


async def test_a_client_may_ask_before_it_sends_a_body() -> None:
    async with connected(echo) as client:
        head = b"POST /a HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\nExpect: 100-continue\r\n"
        client.writer.write(head + b"Connection: close\r\n\r\n")
        assert (await client.reader.readline()).startswith(b"HTTP/1.1 100")
        assert (await client.talk(b"z")).endswith(b"z")


async def test_nonsense_is_told_so() -> None:
    async with connected(echo) as client:
        assert b"no request that can be answered" in await client.talk(b"hello\r\n\r\n")


async def test_a_head_without_end_is_refused() -> None:
    async with connected(echo) as client:
        answer = await client.talk(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
        assert answer.startswith(b"HTTP/1.1 431")


async def test_a_client_that_says_nothing_is_dropped() -> None:
    async with connected(echo, idle=0.01) as client:
        assert await client.reader.read() == b""


async def test_streams_go_out_in_pieces_and_head_gets_none() -> None:
    closed = asyncio.Event()

    async def lines() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one\n"
            yield b"two\n"
        finally:
            closed.set()

    async def responder(_: Request) -> Reply:
        return Reply(body=lines())

    async with connected(responder) as client:
        answer = await client.talk(b"GET / HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n")
        assert b"4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n" in answer
    assert closed.is_set()


async def test_an_answer_ends_when_its_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cri.admin.http_connection, "_WATCH_SECONDS", 0.001)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def responder(_: Request) -> Reply:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return Reply()

    async with connected(responder) as client:
        client.writer.write(b"GET / HTTP/1.1\r\nHost: l\r\n\r\n")
        await begun.wait()
        client.writer.close()
        await client.served
    assert ended.is_set()


async def test_a_body_that_breaks_off_ends_the_connection() -> None:
    async with connected(echo) as client:
        client.writer.write(b"POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\nabc")
        client.writer.write_eof()
        assert await client.reader.read() == b""
