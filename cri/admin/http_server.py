"""Listens for operators and scrapers: on a path socket for root alone, or on TCP for metrics alone.

Promise: the path socket has mode 0600 in a directory of mode 0700 (security rule H1), and each peer's user is asked of
the kernel besides. What may be asked is decided by the responder that is handed in.
"""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from pathlib import Path

from cri.admin.http_connection import ConnectionLimits, HttpConnection
from cri.admin.http_messages import Responder
from runtime.errors import FailedPrecondition, InvalidArgument

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
"""Operators and scrapers are few; a loop in a script must not take the daemon's descriptors."""

_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid


class HttpServer:
    """One listening socket and its connections."""

    def __init__(self, responder: Responder, limits: ConnectionLimits | None = None) -> None:
        self._responder = responder
        self._limits = limits or ConnectionLimits()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._busy: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def listen_unix(self, path: Path) -> None:
        """Take a path; a dead socket there is replaced, since the caller holds the instance's lock.

        Raises:
            FailedPrecondition: something that is no socket has the name, or it cannot be bound.
        """
        _clear_name(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        previous = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, str(path))
        except OSError as error:
            raise _unusable(f"unix://{path}", error) from error
        finally:
            os.umask(previous)
        self._path = path

    async def listen_tcp(self, address: str) -> tuple[str, int]:
        """Take `HOST:PORT`, port 0 for a free one; return where it listens.

        Raises:
            InvalidArgument: the address has another form.
            FailedPrecondition: it cannot be bound.
        """
        host, port = parse_tcp_address(address)
        try:
            self._server = await asyncio.start_server(self._accept, host, port)
        except OSError as error:
            raise _unusable(address, error) from error
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def stop(self) -> None:
        """Accept nothing more, end what runs, remove the socket; idempotent."""
        if self._server is None:
            return
        self._stopping = True  # a connection that was accepted just now has not come to its task
        self._server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if (
            self._stopping
            or task is None
            or len(self._busy) >= MAX_CONNECTIONS
            or not _may_ask(writer)
        ):
            writer.close()
            return
        self._busy.add(task)
        try:
            await HttpConnection(reader, writer, self._responder, self._limits).serve()
        except asyncio.CancelledError:
            writer.close()
        except (
            Exception
        ):  # a fault of ours must not end the server; the task's own end would hide it
            log.exception("admin connection failed")
        finally:
            self._busy.discard(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()


def parse_tcp_address(address: str) -> tuple[str, int]:
    """Split `HOST:PORT` or `[IPV6]:PORT`.

    Raises:
        InvalidArgument: it has another form.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(
            f"address {address[:100]}",
            "is not HOST:PORT",
            remedy="write it as 127.0.0.1:9090",
            reason="BadAddress",
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def _may_ask(writer: asyncio.StreamWriter) -> bool:
    """Tell whether the peer of a path socket is root or ourselves; TCP serves nothing that is secret."""
    end = writer.get_extra_info("socket")
    if end is None or end.family != socket.AF_UNIX:
        return True
    raw = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    if uid in (0, os.geteuid()):
        return True
    log.warning("process %d of uid %d may not use the admin socket", pid, uid)
    return False


def _clear_name(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FailedPrecondition(
            f"address unix://{path}",
            "is the name of a file that is no socket",
            remedy="remove it, or set admin.address to another path",
            reason="AddressInUse",
        )
    path.unlink()


def _unusable(address: str, error: OSError) -> FailedPrecondition:
    return FailedPrecondition(
        f"address {address}",
        f"cannot be bound: {error.strerror or 'the name is not usable'}",
        remedy="choose another address, or end what uses it",
        reason="AddressInUse",
    )
