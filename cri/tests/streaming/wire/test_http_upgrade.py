"""The HTTP part: which requests become streams, and how the others are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.streaming.wire.http_upgrade import (
    HEAD_LIMIT,
    HeadReader,
    Refused,
    RequestHead,
    Transport,
    negotiate,
    refusal,
)
from cri.streaming.wire.stream_protocols import COMMAND_OFFER, PORT_FORWARD_OFFER

CRICTL = (
    b"POST /exec/token HTTP/1.1\r\nHost: 127.0.0.1:33615\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Content-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    b"X-Stream-Protocol-Version: v5.channel.k8s.io\r\n"
    b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def head(method: str = "GET", **headers: str) -> RequestHead:
    return RequestHead(
        method=method,
        target="/exec/token",
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
    )


def websocket(method: str = "GET", **headers: str) -> RequestHead:
    standard = {
        "connection": "keep-alive, Upgrade",
        "upgrade": "WebSocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": KEY,
    }
    return head(method, **standard | headers)


def test_the_request_of_crictl_becomes_spdy_v4() -> None:
    request = HeadReader().feed(CRICTL)
    assert request is not None
    assert (request.method, request.path, request.rest) == ("POST", "/exec/token", b"")
    upgrade = negotiate(request, COMMAND_OFFER)
    assert (upgrade.transport, upgrade.protocol) == (Transport.SPDY, "v4.channel.k8s.io")
    assert upgrade.response == (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    )


@given(st.integers(1, 60))
def test_a_head_may_come_in_pieces(step: int) -> None:
    reader = HeadReader()
    found = [reader.feed(CRICTL[at : at + step]) for at in range(0, len(CRICTL), step)]
    assert [each is not None for each in found] == [False] * (len(found) - 1) + [True]


def test_what_follows_the_head_is_kept() -> None:
    request = HeadReader().feed(CRICTL + b"\x80\x03")
    assert request is not None
    assert request.rest == b"\x80\x03"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET /exec/x HTTP/9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * (HEAD_LIMIT + 1), 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400),
    ],
)
def test_what_is_no_fitting_request_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        HeadReader().feed(data)
    assert refused.value.status == status


@given(st.binary(max_size=300), st.integers(0, len(CRICTL)))
def test_mutated_heads_are_read_or_refused(noise: bytes, at: int) -> None:
    reader = HeadReader()
    status = 101
    try:
        request = reader.feed(CRICTL[:at] + noise + CRICTL[at + len(noise) :])
        if request is not None:
            negotiate(request, COMMAND_OFFER)
    except Refused as refused:
        status = refused.status
    assert status == 101 or 400 <= status < 600


def test_comma_separated_names_count_too() -> None:
    request = head(
        connection="Upgrade",
        upgrade="spdy/3.1",
        **{"x-stream-protocol-version": "v9, v2.channel.k8s.io"},
    )
    assert negotiate(request, COMMAND_OFFER).protocol == "v2.channel.k8s.io"


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(), 400),
        (head(upgrade="SPDY/3.1"), 400),
        (head(connection="Upgrade", upgrade="h2c"), 400),
        (head(connection="Upgrade", upgrade="SPDY/3.1"), 400),
        (head(connection="Upgrade", upgrade="SPDY/3.1", x_stream_protocol_version=" "), 400),
        (head(connection="Upgrade", upgrade="SPDY/3.1", x_stream_protocol_version="v9"), 403),
        (websocket("POST"), 405),
        (websocket(sec_websocket_version="8"), 426),
        (websocket(sec_websocket_key="short"), 400),
        (websocket(sec_websocket_key="c2hvcnQ="), 400),
        (websocket(sec_websocket_key=f"{KEY}, {KEY}"), 400),
        (websocket(sec_websocket_protocol="v9.channel.k8s.io"), 403),
    ],
)
def test_what_cannot_be_agreed_on_is_refused(request_head: RequestHead, status: int) -> None:
    with pytest.raises(Refused) as refused:
        negotiate(request_head, COMMAND_OFFER)
    assert refused.value.status == status


def test_a_refused_spdy_client_is_told_what_is_known() -> None:
    request = head(connection="Upgrade", upgrade="SPDY/3.1", x_stream_protocol_version="v5")
    with pytest.raises(Refused) as refused:
        negotiate(request, COMMAND_OFFER)
    answer = refusal(refused.value)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.count(b"X-Accepted-Stream-Protocol-Versions: ") == 4
    assert b"Connection: close" in answer


def test_websocket_is_agreed_by_the_clients_order() -> None:
    request = websocket(sec_websocket_protocol="v9, v5.channel.k8s.io, v4.channel.k8s.io")
    upgrade = negotiate(request, COMMAND_OFFER)
    assert (upgrade.transport, upgrade.protocol) == (Transport.WEBSOCKET, "v5.channel.k8s.io")
    # The example of RFC 6455 section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in upgrade.response
    assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n" in upgrade.response
    assert b"Extensions" not in upgrade.response


def test_a_websocket_without_names_gets_none() -> None:
    upgrade = negotiate(websocket(), COMMAND_OFFER)
    assert upgrade.protocol == ""
    assert b"Sec-WebSocket-Protocol" not in upgrade.response


def test_the_tunnel_is_for_port_forward_alone() -> None:
    request = websocket(sec_websocket_protocol="SPDY/3.1+portforward.k8s.io")
    assert negotiate(request, PORT_FORWARD_OFFER).transport is Transport.TUNNEL
    with pytest.raises(Refused):
        negotiate(request, COMMAND_OFFER)


def test_a_refusal_has_a_length_and_never_redirects() -> None:
    answer = refusal(Refused(499, "odd"))
    assert answer.startswith(b"HTTP/1.1 499 Error\r\n")
    assert answer.endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\nodd\n")
