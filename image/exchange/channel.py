"""Frames over the socket between daemon and worker: four bytes of length, then one JSON object.

Promise: a frame is bounded before it is read, and parsed as strictly as a registry's documents; what is wrong with it
is an error of the one who reads. Never waits for the peer to read what was sent.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Self

from image.errors import FailedPrecondition
from image.model.json_document import JsonObject, parse_json_object

MAX_FRAME = 32 * 1024 * 1024
"""A manifest (4 MiB) and a config (8 MiB) in base64, and room for marks of a layer."""

_LENGTH = struct.Struct(">I")


def receive_first(end: socket.socket) -> JsonObject | None:
    """Wait for one message in the calling thread, before a `Channel` takes the socket over.

    None when the peer has closed its end, or was killed while it wrote.

    Raises:
        FailedPrecondition: as `Channel.receive`.
    """
    head = _exactly(end, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise FailedPrecondition("pull", f"frame of {length} bytes is above {MAX_FRAME}")
    body = _exactly(end, length)
    if length and not body:
        return None
    return parse_json_object(body, subject="message", max_bytes=MAX_FRAME)


def _exactly(end: socket.socket, size: int) -> bytes:
    """Read so many bytes and no more: what follows is the channel's. Empty where the stream ends before."""
    content = bytearray()
    while len(content) < size:
        piece = end.recv(size - len(content))
        if not piece:
            return b""
        content += piece
    return bytes(content)


class Channel:
    """One end of the conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over a connected stream socket."""
        reader, writer = await asyncio.open_connection(sock=end, limit=256 * 1024)
        return cls(reader, writer)

    def send(self, message: Mapping[str, object]) -> None:
        """Queue one message.

        Raises:
            FailedPrecondition: it is larger than a frame may be.
        """
        body = json.dumps(message).encode()
        if len(body) > MAX_FRAME:
            raise FailedPrecondition("pull", f"message of {len(body)} bytes is above {MAX_FRAME}")
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def wait_sent(self) -> None:
        """Wait until the peer has taken nearly everything."""
        await self._writer.drain()

    async def receive(self) -> JsonObject | None:
        """Wait for the next message; None when the peer has closed its end, or was killed while it wrote.

        Raises:
            FailedPrecondition: the frame is too large, or not an object in strict JSON.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MAX_FRAME:
                raise FailedPrecondition("pull", f"frame of {length} bytes is above {MAX_FRAME}")
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return parse_json_object(body, subject="message", max_bytes=MAX_FRAME)

    async def close(self) -> None:
        """Close the socket."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
