"""Which request becomes which session."""

from dataclasses import replace

import pytest

from cri.streaming.session_limits import SessionLimits
from cri.streaming.session_start import begin_session
from cri.streaming.session_tokens import AttachGrant, ExecGrant, Grant, PortForwardGrant
from cri.streaming.wire.http_upgrade import Refused, RequestHead
from cri.streaming.wire.spdy_connection import SpdyConnection
from cri.streaming.wire.spdy_tunnel import SpdyTunnel
from cri.streaming.wire.stream_channels import ChannelLink
from cri.tests.streaming.conftest import Scene
from cri.tests.streaming.fake_carrier import FakeCarrier
from runtime.drivers.driver import ExecStreamRequest

LIMITS = SessionLimits(idle_seconds=3600.0)
TTY = ExecStreamRequest(command=("x",), terminal=True, stdin=True)
EXEC = ExecGrant(container_id="c" * 64, request=TTY, stdout=True, stderr=False)
ATTACH = AttachGrant(container_id="c" * 64, terminal=False, stdin=False, stdout=True, stderr=True)
FORWARD = PortForwardGrant(sandbox_id="p" * 64, ports=())


def spdy(name: str = "v4.channel.k8s.io", method: str = "POST") -> RequestHead:
    headers = (
        ("connection", "Upgrade"),
        ("upgrade", "SPDY/3.1"),
        ("x-stream-protocol-version", name),
    )
    return RequestHead(method=method, target="/exec/t", headers=headers)


def websocket(name: str) -> RequestHead:
    headers = (
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", name),
    )
    return RequestHead(method="GET", target="/exec/t", headers=headers)


@pytest.mark.parametrize(
    ("grant", "head", "link"),
    [
        (EXEC, spdy(), SpdyConnection),
        (ATTACH, websocket("v5.channel.k8s.io"), ChannelLink),
        (FORWARD, spdy("portforward.k8s.io"), SpdyConnection),
        (FORWARD, websocket("SPDY/3.1+portforward.k8s.io"), SpdyTunnel),
        (replace(FORWARD, ports=(80,)), websocket("v4.channel.k8s.io"), ChannelLink),
    ],
)
async def test_kind_and_transport_choose_the_link(
    scene: Scene, grant: Grant, head: RequestHead, link: type
) -> None:
    session = begin_session(scene.rig.node, grant, head, LIMITS, busy=False)
    assert type(session.link) is link
    assert bool(session.opened) is (link is ChannelLink)


@pytest.mark.parametrize(
    ("grant", "head", "busy", "status"),
    [
        (EXEC, spdy(method="DELETE"), False, 405),
        (None, spdy(), False, 404),
        (None, spdy(), True, 404),
        (EXEC, spdy(), True, 503),
        (EXEC, spdy("portforward.k8s.io"), False, 403),
        (FORWARD, websocket("v4.channel.k8s.io"), False, 400),
    ],
)
async def test_wrong_requests_have_their_status(
    scene: Scene, grant: Grant | None, head: RequestHead, busy: bool, status: int
) -> None:
    with pytest.raises(Refused) as refused:
        begin_session(scene.rig.node, grant, head, LIMITS, busy=busy)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("name", "resizes"), [("v4.channel.k8s.io", True), ("v2.channel.k8s.io", False)]
)
async def test_old_protocols_have_no_resize_stream(scene: Scene, name: str, resizes: bool) -> None:
    session = begin_session(scene.rig.node, EXEC, spdy(name), LIMITS, busy=False)
    assert session.on_stream(FakeCarrier().stream(streamtype="resize")) is resizes
