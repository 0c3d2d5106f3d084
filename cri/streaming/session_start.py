"""From a grant and a request head to a session: which protocol, which link, which streams.

The only place where kinds of URLs and kinds of transports meet; sessions know neither.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from cri.streaming.attach_session import run_attach
from cri.streaming.client_connection import ClientConnection, StreamHandler
from cri.streaming.command_session import Body, serve_command
from cri.streaming.command_streams import StreamCollector
from cri.streaming.exec_session import run_exec
from cri.streaming.port_forward_session import PortForwardSession
from cri.streaming.session_limits import SessionLimits
from cri.streaming.session_tokens import AttachGrant, ExecGrant, Grant, PortForwardGrant
from cri.streaming.wire.channel_uses import command_channels, forward_channels
from cri.streaming.wire.http_upgrade import (
    Refused,
    RequestHead,
    Transport,
    Upgrade,
    negotiate,
)
from cri.streaming.wire.link_events import Link, LinkEvent
from cri.streaming.wire.session_status import SUCCESS, Outcome
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.spdy_tunnel import SpdyTunnel
from cri.streaming.wire.stream_channels import ChannelLink, ChannelUse
from cri.streaming.wire.stream_protocols import (
    COMMAND_OFFER,
    DIALECTS,
    JSON_STATUS,
    PORT_FORWARD_OFFER,
    RESIZING,
)
from runtime.lifecycle.node import Node

log = logging.getLogger(__name__)

_METHODS = ("GET", "POST")

Serve = Callable[[ClientConnection], Awaitable[Outcome]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session that is about to begin."""

    name: str
    response: bytes
    """The 101 answer."""
    link: Link
    opened: list[LinkEvent]
    """Streams that exist from the start."""
    on_stream: StreamHandler
    run: Serve

    async def serve(self, transport: asyncio.Transport, rest: bytes) -> None:
        """Take over the transport, serve, and leave it closed."""
        connection = ClientConnection(self.link, transport, self.on_stream)
        try:
            connection.begin(self.opened, rest)
            outcome = await self.run(connection)
            log.info("%s ended: %s", self.name, outcome.failure or f"code {outcome.exit_code}")
        finally:
            connection.abort()


def begin_session(
    node: Node, grant: Grant | None, head: RequestHead, limits: SessionLimits, *, busy: bool
) -> Session:
    """Return the session that a request begins.

    Raises:
        Refused: method, token or protocol are wrong, or there is no room.
    """
    if head.method not in _METHODS:
        raise Refused(405, "use GET or POST", [("Allow", ", ".join(_METHODS))])
    if grant is None:
        raise Refused(404, "there is nothing here, or no longer")
    if busy:
        raise Refused(503, "too many sessions, or the runtime is stopping")
    if isinstance(grant, PortForwardGrant):
        return _port_forward(node, grant, negotiate(head, PORT_FORWARD_OFFER), limits)
    return _command(node, grant, negotiate(head, COMMAND_OFFER), limits)


def _command(
    node: Node, grant: ExecGrant | AttachGrant, upgrade: Upgrade, limits: SessionLimits
) -> Session:
    body: Body
    if isinstance(grant, ExecGrant):
        terminal, stdin = grant.request.terminal, grant.request.stdin
        name, body = f"exec in {grant.container_id[:12]}", partial(run_exec, node, grant)
    else:
        terminal, stdin = grant.terminal, grant.stdin
        name, body = f"attach to {grant.container_id[:12]}", partial(run_attach, node, grant)
    resizes = terminal and (
        upgrade.transport is Transport.WEBSOCKET or upgrade.protocol in RESIZING
    )
    wanted = {"error": True, "stdin": stdin, "stdout": grant.stdout, "stderr": grant.stderr}
    names = frozenset(name for name, is_wanted in wanted.items() if is_wanted)
    names |= {"resize"} if resizes else set()
    collector = StreamCollector(names)
    link, opened = _link(upgrade, command_channels(names))

    async def run(connection: ClientConnection) -> Outcome:
        json_status = upgrade.protocol in JSON_STATUS
        return await serve_command(connection, collector, body, limits, json_status=json_status)

    return Session(
        name=name,
        response=upgrade.response,
        link=link,
        opened=opened,
        on_stream=collector.take,
        run=run,
    )


def _port_forward(
    node: Node, grant: PortForwardGrant, upgrade: Upgrade, limits: SessionLimits
) -> Session:
    fixed = upgrade.transport is Transport.WEBSOCKET
    if fixed and not grant.ports:
        raise Refused(400, "the request for this URL named no ports, which this protocol needs")
    forward = PortForwardSession(node, grant, fixed=fixed)
    link, opened = _link(upgrade, forward_channels(grant.ports))

    async def work(connection: ClientConnection) -> Outcome:
        await forward.run(connection)
        return SUCCESS

    async def run(connection: ClientConnection) -> Outcome:
        outcome = await limits.bound(work(connection), connection)
        await connection.say_last_words()
        connection.close()
        return outcome

    return Session(
        name=f"port-forward to {grant.sandbox_id[:12]}",
        response=upgrade.response,
        link=link,
        opened=opened,
        on_stream=forward.take,
        run=run,
    )


def _link(upgrade: Upgrade, channels: tuple[ChannelUse, ...]) -> tuple[Link, list[LinkEvent]]:
    if upgrade.transport is Transport.SPDY:
        return SpdyConnection(), []
    if upgrade.transport is Transport.TUNNEL:
        return SpdyTunnel(), []
    link = ChannelLink(DIALECTS[upgrade.protocol], channels)
    return link, link.opened()
