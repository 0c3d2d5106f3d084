"""Receive the master of a terminal from an OCI runtime (`--console-socket`, runc's docs/terminals.md).

The runtime makes the terminal inside the container's mount namespace and sends the master's descriptor over a unix
socket. The socket lives in a 0700 directory of ours, is accepted once, and is gone afterwards. The size is set the moment
the terminal arrives, before the process can ask for it: crun up to 1.8 takes consoleSize from the container's spec alone.
"""

import array
import asyncio
import fcntl
import os
import socket
import struct
import tempfile
import termios
from contextlib import suppress
from pathlib import Path

from runtime.errors import Internal

_BACKLOG = 1
_NAME_LIMIT = 4096
"""The runtime sends the terminal's name as the message's data."""


class ConsoleSocket:
    """One socket for one terminal; use it as a context manager on the event loop."""

    def __init__(self, directory: Path, size: tuple[int, int] | None = None) -> None:
        """Bind below `directory`; `size` is width and height in characters."""
        # sockaddr_un holds 107 characters: the directory must be a short path, bundles are too long.
        self._directory = Path(tempfile.mkdtemp(prefix="con-", dir=directory))
        self.path = self._directory / "s"
        self._size = size
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self._socket.listen(_BACKLOG)
        self._connection: socket.socket | None = None
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[int | None] = self._loop.create_future()

    def __enter__(self) -> "ConsoleSocket":
        self._loop.add_reader(self._socket, self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_listening()
        self._hang_up()
        if not self._arrived.cancel() and not self._arrived.cancelled():
            untaken = self._arrived.result()
            if untaken is not None:
                os.close(untaken)
        with suppress(OSError):
            self.path.unlink()
        with suppress(OSError):
            self._directory.rmdir()

    async def receive(self, subject: str) -> int:
        """Return the master's descriptor; call it when the runtime has ended well, so that it was sent already.

        Raises:
            Internal: the runtime connected but sent no descriptor.
        """
        descriptor = await self._arrived
        self._arrived = self._loop.create_future()
        if descriptor is None:
            raise Internal(subject, "the runtime sent no terminal", reason="TerminalMissing")
        return descriptor

    def _accept(self) -> None:
        self._connection, _ = self._socket.accept()
        self._stop_listening()
        self._connection.setblocking(False)
        self._loop.add_reader(self._connection, self._take)

    def _take(self) -> None:
        connection = self._connection
        if connection is None:
            return
        descriptors = array.array("i")
        room = socket.CMSG_SPACE(descriptors.itemsize)
        try:
            _, ancillary, _, _ = connection.recvmsg(_NAME_LIMIT, room, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            ancillary = []
        self._hang_up()
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data[: descriptors.itemsize])
        if descriptors:
            self._set_up(descriptors[0])
        if not self._arrived.done():
            self._arrived.set_result(descriptors[0] if descriptors else None)
        elif descriptors:
            os.close(descriptors[0])  # who waited has gone

    def _set_up(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        if self._size is not None:
            width, height = self._size
            with suppress(OSError):
                fcntl.ioctl(
                    descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0)
                )

    def _stop_listening(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._loop.remove_reader(self._connection)
            self._connection.close()
            self._connection = None
