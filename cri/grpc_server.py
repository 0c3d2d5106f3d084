"""The gRPC server of CRI: its socket, limits and orderly end.

Listens on a path socket that only root can open (security rule H1): grpc tells us nothing of its peers, so the file's
mode is the only door. Knows no method; tables of them come in ready.
"""

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf.message import Message

from runtime.errors import FailedPrecondition, InvalidArgument

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 80 * 1024 * 1024
"""Bytes of one message either way, as CRI-O has it; the kubelet's own limit for answers is 16 MiB."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.so_reuseport", 0),
    # Clients that ping an idle connection every minute are not thrown out (the core's default is 5 minutes).
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def socket_path(address: str) -> Path:
    """Return the path of a `unix:///PATH` address.

    Raises:
        InvalidArgument: the address has another form, or its path is too long for a socket.
    """
    path = address.removeprefix("unix://")
    if not address.startswith("unix:///") or path == "/":
        raise InvalidArgument(
            f"address {address}",
            "is no path socket",
            remedy="use the form unix:///run/lading/lading.sock",
            reason="BadAddress",
        )
    if len(os.fsencode(path)) > 107:  # sun_path, unix(7)
        raise InvalidArgument(
            f"address {address}",
            "is longer than the 107 bytes that the kernel allows",
            remedy="use a shorter state directory or address",
            reason="BadAddress",
        )
    return Path(path)


class CriServer:
    """One listening socket and the calls that run over it."""

    def __init__(
        self, address: str, services: "Sequence[grpc.GenericRpcHandler[Message, Message]]"
    ) -> None:
        self._path = socket_path(address)
        self._services = services
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Bind the socket and answer calls.

        Raises:
            FailedPrecondition: something that is no socket has the name, or it cannot be bound.
        """
        self._clear_name()
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(self._services)
        previous = os.umask(0o177)
        try:
            server.add_insecure_port(f"unix:{self._path}")
        except RuntimeError as error:
            raise FailedPrecondition(
                f"address unix://{self._path}",
                "cannot be bound",
                remedy="check that its directory can be written",
                reason="AddressInUse",
            ) from error
        finally:
            os.umask(previous)
        await server.start()
        self._server = server

    async def stop(self, limit_seconds: float) -> None:
        """Accept nothing new, let running calls end within the limit, then cancel them and remove the socket."""
        if self._server is None:
            return
        await self._server.stop(limit_seconds)
        self._server = None
        self._path.unlink(missing_ok=True)

    def _clear_name(self) -> None:
        """Take a dead socket away (the instance lock proves that it is dead), and nothing else."""
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise FailedPrecondition(
                f"address unix://{self._path}",
                "is the name of a file that is no socket",
                remedy="remove it or use another address",
                reason="AddressInUse",
            )
        self._path.unlink()
