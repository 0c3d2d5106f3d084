"""Receive the master of a terminal from an OCI runtime (`--console-socket`, runc's docs/terminals.md).

The runtime makes the terminal inside the container's mount namespace and sends the master's descriptor over a unix
socket. The socket lives in a 0700 directory of ours, is accepted once, and is gone afterwards.
"""

import array
import asyncio
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from runtime.errors import Internal

_BACKLOG = 1
_NAME_LIMIT = 4096
"""The runtime sends the terminal's name as the message's data."""


class ConsoleSocket:
    """One socket for one terminal; use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        # sockaddr_un holds 107 characters: the directory must be a short path, bundles are too long.
        self._directory = Path(tempfile.mkdtemp(prefix="con-", dir=directory))
        self.path = self._directory / "s"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self._socket.listen(_BACKLOG)

    def __enter__(self) -> "ConsoleSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        with suppress(OSError):
            self.path.unlink()
        with suppress(OSError):
            self._directory.rmdir()

    async def receive(self, subject: str) -> int:
        """Return the master's descriptor; call it when the runtime has ended well, so that it was sent already.

        Raises:
            Internal: the runtime connected but sent no descriptor.
        """
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(self._socket)
        with connection:
            connection.setblocking(False)
            await _wait_readable(connection)
            descriptors = array.array("i")
            room = socket.CMSG_SPACE(descriptors.itemsize)
            _, ancillary, _, _ = connection.recvmsg(_NAME_LIMIT, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: descriptors.itemsize])
        if not descriptors:
            raise Internal(subject, "the runtime sent no terminal", reason="TerminalMissing")
        os.set_blocking(descriptors[0], False)
        return descriptors[0]


async def _wait_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connection, note)
    try:
        await readable
    finally:
        loop.remove_reader(connection)
