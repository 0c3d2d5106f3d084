"""Port-forward: any number of connections to ports on a pod's own loopback, over one client connection.

Each is a pair of streams, data and error, that belong together by their request id. The pod is dialled from inside its
network namespace. Either side can end its direction alone. Text on the error stream makes client-go give up all its
connections, so it is sent for a dial that failed and for nothing else; a connection that the pod resets is logged, and reset towards
the client.
"""

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass

from cri.streaming.client_connection import ClientConnection
from cri.streaming.client_stream import ClientStream
from cri.streaming.descriptor_streams import DescriptorReader, DescriptorWriter
from cri.streaming.input_copy import copy_input
from cri.streaming.session_tokens import PortForwardGrant
from runtime.errors import PodRuntimeError
from runtime.lifecycle.container_stream import dial_pod
from runtime.lifecycle.node import Node

log = logging.getLogger(__name__)

PAIR_SECONDS = 30.0
"""From the first stream of a pair to the second."""
LINGER_SECONDS = 60.0
"""How long a client may go on sending after the pod has ended its direction."""
_PAIR_DISTANCE = 2
"""Without request ids the data stream is the one that the client opened right after the error stream."""


@dataclass(slots=True)
class _Pair:
    port: int
    data: ClientStream | None = None
    error: ClientStream | None = None


class PortForwardSession:
    """All connections of one client."""

    def __init__(self, node: Node, grant: PortForwardGrant, *, fixed: bool) -> None:
        self._node = node
        self._grant = grant
        self._fixed = fixed
        """The ports were all named in the request; the session ends with the last of them."""
        self._pairs: dict[str, _Pair] = {}
        """Those that are not complete yet."""
        self._complete: asyncio.Queue[_Pair] = asyncio.Queue()

    def take(self, stream: ClientStream) -> bool:
        """Accept a stream that begins or completes a pair; False when it fits nowhere."""
        kind, port = stream.headers.get("streamtype", ""), _port(stream)
        if kind not in ("data", "error") or port is None:
            return False
        key = _key(stream, kind)
        pair = self._pairs.setdefault(key, _Pair(port))
        if pair.port != port or getattr(pair, kind) is not None:
            return False
        setattr(pair, kind, stream)
        if pair.data is not None and pair.error is not None:
            self._complete.put_nowait(self._pairs.pop(key))
        else:
            asyncio.get_running_loop().call_later(PAIR_SECONDS, self._give_up, key, pair)
        return True

    async def run(self, connection: ClientConnection) -> None:
        """Serve until the client is gone, or with fixed ports until all have ended."""
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept(), name="port-forward")
            lost = group.create_task(connection.lost.wait(), name="port-forward client")
            await asyncio.wait({accepting, lost}, return_when=asyncio.FIRST_COMPLETED)
            accepting.cancel()
            lost.cancel()

    async def _accept(self) -> None:
        left = len(self._grant.ports) if self._fixed else -1
        async with asyncio.TaskGroup() as group:
            while left:
                pair = await self._complete.get()
                left -= 1
                group.create_task(self._forward(pair), name=f"port-forward {pair.port}")

    def _give_up(self, key: str, pair: _Pair) -> None:
        if self._pairs.get(key) is pair:
            del self._pairs[key]
            for stream in (pair.data, pair.error):
                if stream is not None:
                    stream.reset()

    async def _forward(self, pair: _Pair) -> None:
        data, error = pair.data, pair.error
        if data is None or error is None:
            return
        error.discard()
        try:
            connection = await self._dial(pair.port, error)
            if connection is not None:
                with connection:
                    await _join(connection, pair.port, data, error)
        finally:
            data.finish()
            error.finish()
            # Frees both; a client that did not end its direction is told.
            error.reset()
            data.reset()

    async def _dial(self, port: int, error: ClientStream) -> socket.socket | None:
        try:
            return await dial_pod(self._node, self._grant.sandbox_id, port)
        except PodRuntimeError as failure:
            log.info("%s", failure)
            text = f"error forwarding port {port} to pod {self._grant.sandbox_id}: {failure}"
            error.write_now(text.encode())
            return None


async def _join(
    connection: socket.socket, port: int, data: ClientStream, error: ClientStream
) -> None:
    """Copy both ways until both have ended, or the client is done with it."""
    async with asyncio.TaskGroup() as group:
        up = group.create_task(_to_pod(connection, data), name="to pod")
        down = group.create_task(_from_pod(connection, port, data), name="from pod")
        gone = group.create_task(data.gone.wait(), name="client stream")
        await asyncio.wait({down, gone}, return_when=asyncio.FIRST_COMPLETED)
        if down.done():
            error.finish()  # what client-go waits for before it takes the connection for ended
            await asyncio.wait(
                {up, gone}, timeout=LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        for task in (up, down, gone):
            task.cancel()


async def _to_pod(connection: socket.socket, data: ClientStream) -> None:
    if await copy_input(data, DescriptorWriter(connection.fileno())):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


async def _from_pod(connection: socket.socket, port: int, data: ClientStream) -> None:
    reader = DescriptorReader(connection.fileno())
    while block := await reader.read():
        await data.write(block)
        await asyncio.sleep(0)  # neither side may ever have waited
    if reader.failure is None:
        data.finish()
    else:
        log.info("a connection to port %d was broken by the pod: %s", port, reader.failure.strerror)
        data.reset()


def _port(stream: ClientStream) -> int | None:
    text = stream.headers.get("port", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        return None
    port = int(text)
    return port if 0 < port < 65536 else None


def _key(stream: ClientStream, kind: str) -> str:
    given = stream.headers.get("requestid")
    if given is not None:
        return f"request {given}"
    return f"stream {stream.id if kind == 'error' else stream.id - _PAIR_DISTANCE}"
