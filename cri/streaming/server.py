"""The streaming server: listens, checks tokens, agrees on a protocol, and hands the connection to its session.

One listener on loopback. The URL of a request is absolute with the bound address; its token is redeemed by the first
connection that shows it, and stands in no log. Every other request gets a status of 400 and above and is closed.
"""

import asyncio
import importlib
import logging
from dataclasses import dataclass
from pathlib import Path

from cri.streaming.certificates import ServerCertificate
from cri.streaming.request_connection import Begin, RequestConnection
from cri.streaming.session_limits import SessionLimits
from cri.streaming.session_tokens import (
    AttachGrant,
    ExecGrant,
    Grant,
    PortForwardGrant,
    SessionTokens,
)
from cri.streaming.wire.http_upgrade import RequestHead
from runtime.drivers.driver import ExecStreamRequest
from runtime.drivers.supervisor import Supervisor
from runtime.errors import Unavailable
from runtime.lifecycle.node import Node

log = logging.getLogger(__name__)

SESSION_LIMIT = 2000
"""Sessions at a time; a pod limit of 250 leaves eight each."""
HEAD_LIMIT = 200
"""Connections at a time that have not sent their request yet."""
STOP_SECONDS = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamingAddress:
    """Where to listen."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> "StreamingAddress":
        """Return the address of `HOST:PORT`; an IPv6 host stands in brackets."""
        host, _, port = text.rpartition(":")
        return StreamingAddress(host=host.removeprefix("[").removesuffix("]"), port=int(port))


class StreamingServer:
    """See the module docstring."""

    def __init__(
        self,
        node: Node,
        supervisor: Supervisor,
        *,
        address: str,
        idle_seconds: float,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._node = node
        self._supervisor = supervisor
        self._address = StreamingAddress.parse(address)
        self._limits = SessionLimits(idle_seconds=idle_seconds)
        self._tokens = SessionTokens()
        self._certificate = None if tls is None else ServerCertificate(*tls)
        self._server: asyncio.Server | None = None
        self._base = ""
        self._waiting: dict[RequestConnection, None] = {}
        """Connections before their session, oldest first."""
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """Scheme, host and port of every URL."""
        return self._base

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            Unavailable: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        context = None if self._certificate is None else self._certificate.context
        try:
            self._server = await loop.create_server(
                self._connected, self._address.host, self._address.port, ssl=context
            )
        except OSError as error:
            raise Unavailable(
                f"streaming address {self._address.host}:{self._address.port}",
                f"cannot be bound: {error.strerror or error}",
                remedy="change [streaming] address; port 0 takes a free one",
                reason="AddressUnusable",
            ) from error
        host, port, *_ = self._server.sockets[0].getsockname()
        host = _ANY.get(host, host)
        scheme = "http" if context is None else "https"
        self._base = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("streaming at %s", self._base)

    async def preload(self) -> None:
        """Import what sessions need, in a thread: 40 ms that a start need not wait for, nor the first client."""
        await asyncio.to_thread(importlib.import_module, "cri.streaming.session_start")

    async def stop(self) -> None:
        """Stop listening and end every session with a status; idempotent."""
        if self._server is not None:
            self._server.close()
        self._limits.stopping.set()
        for connection in tuple(self._waiting):
            connection.abort()
        if self._sessions:
            _, late = await asyncio.wait(tuple(self._sessions), timeout=STOP_SECONDS)
            for task in late:
                task.cancel()

    def counts(self) -> dict[str, int]:
        """Return what there is now: open sessions, URLs and connections that wait for one."""
        return {
            "sessions": len(self._sessions),
            "waiting_urls": len(self._tokens),
            "waiting_connections": len(self._waiting),
        }

    # --- what handlers ask for

    def exec_url(
        self, container_id: str, request: ExecStreamRequest, *, stdout: bool, stderr: bool
    ) -> str:
        """Return the URL of one exec.

        Raises:
            ResourceExhausted: too many URLs wait for their client.
        """
        return self._url(
            ExecGrant(container_id=container_id, request=request, stdout=stdout, stderr=stderr)
        )

    def attach_url(
        self, container_id: str, *, terminal: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        """Return the URL of one attach.

        Raises:
            ResourceExhausted: too many URLs wait for their client.
        """
        return self._url(
            AttachGrant(
                container_id=container_id,
                terminal=terminal,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        )

    def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """Return the URL of one port-forward.

        Raises:
            ResourceExhausted: too many URLs wait for their client.
        """
        return self._url(PortForwardGrant(sandbox_id=sandbox_id, ports=ports))

    def _url(self, grant: Grant) -> str:
        if self._certificate is not None:
            self._certificate.follow()
        return self._base + self._tokens.issue(grant)

    # ---

    def _connected(self) -> RequestConnection:
        return RequestConnection(self._begin, self._waiting, limit=HEAD_LIMIT)

    def _begin(self, head: RequestHead) -> Begin:
        from cri.streaming.session_start import begin_session  # see preload

        grant = self._tokens.redeem(head.path)
        busy = len(self._sessions) >= SESSION_LIMIT or self._limits.stopping.is_set()
        session = begin_session(self._node, grant, head, self._limits, busy=busy)

        def start(transport: asyncio.Transport) -> None:
            work = session.serve(transport, head.rest)
            task = self._supervisor.spawn(work, name=session.name)
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)

        return Begin(response=session.response, start=start)
