"""One HTTP/1.1 connection: h11 decides what is valid, this moves the bytes and keeps the time.

Promise: a client that sends too much, too slowly or nonsense loses its own connection and nothing else; one that goes
away while it is answered has its answer cancelled. Knows neither sockets' addresses nor what requests mean.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from cri.admin.http_messages import Reply, Request, Responder


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How long and how much; each with its reason."""

    head_bytes: int = 32 * 1024
    """Request line and headers: nothing of ours needs more than a few hundred."""
    idle_seconds: float = 60.0
    """Between requests, and between two pieces of a body."""
    send_seconds: float = 60.0
    """A reader that takes no byte for so long has gone."""


class ClientGone(Exception):
    """The peer closed or broke the connection; nobody is left to be told."""


class HttpConnection:
    """One accepted connection; `serve` it once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        responder: Responder,
        limits: ConnectionLimits,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._responder = responder
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._in_body = False

    async def serve(self) -> None:
        """Answer requests until either side has enough; never raises but when cancelled."""
        try:
            await self._serve_all()
        except* ClientGone:
            pass
        finally:
            self._writer.close()

    async def _serve_all(self) -> None:
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error)

    async def _serve_one(self) -> bool:
        """Answer one request; False when the connection is over."""
        event = await self._next_event()
        if not isinstance(event, h11.Request):
            return False
        request = _request(event, self)
        self._in_body = True
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self._watch_client(), name="watch client")
            try:
                await self._send(await self._responder(request), head_only=event.method == b"HEAD")
            finally:
                watcher.cancel()
        self._in_body = False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body of the present request as it arrives."""
        while isinstance(event := await self._next_event(), h11.Data):
            yield bytes(event.data)

    async def _next_event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if self._in_body:
                    raise ClientGone from error
                raise
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                await self._write(self._http.send(go_on))
            self._http.receive_data(await self._read())

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                return await self._reader.read(64 * 1024)
        except (TimeoutError, ConnectionError) as error:
            raise ClientGone from error

    async def _watch_client(self) -> None:
        """Notice a client that leaves during its answer. Its next request, sent early, is kept for later.

        Raises:
            ClientGone: it has left.
        """
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._reader.at_eof() or self._writer.is_closing():
                raise ClientGone

    async def _send(self, reply: Reply, *, head_only: bool) -> None:
        headers = [("Content-Type", reply.media_type), ("Cache-Control", "no-store")]
        whole = reply.body if isinstance(reply.body, bytes) else None
        if whole is not None:
            headers.append(("Content-Length", str(len(whole))))
        await self._write(
            self._http.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        )
        if isinstance(reply.body, AsyncGenerator):
            async with contextlib.aclosing(reply.body) as pieces:
                async for piece in pieces:
                    await self._write(self._http.send(h11.Data(data=piece)))
        elif reply.body and not head_only:
            await self._write(self._http.send(h11.Data(data=reply.body)))
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _write(self, content: bytes | None) -> None:
        if not content:
            return
        self._writer.write(content)
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await self._writer.drain()
        except (TimeoutError, ConnectionError) as error:
            raise ClientGone from error

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Tell a client that does not speak HTTP so, if it still listens."""
        with contextlib.suppress(ClientGone, h11.LocalProtocolError):
            reply = Reply(
                status=error.error_status_hint,
                media_type="text/plain",
                body=f"this is no request that can be answered: {error}\n".encode(),
            )
            await self._send(reply, head_only=False)


_WATCH_SECONDS = 0.25
"""How soon a client that has left is noticed. StreamReader has no event for it, and reading would take the next request."""


def _request(event: h11.Request, connection: HttpConnection) -> Request:
    target = urlsplit(event.target.decode("ascii"))
    return Request(
        method=event.method.decode("ascii"),
        path=unquote(target.path),
        query=dict(parse_qsl(target.query, keep_blank_values=True)),
        body=connection,
    )
