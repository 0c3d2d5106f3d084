"""The HTTP part of a streaming connection: read one request head, answer 101 or a refusal. Pure.

The head is read by h11. Proxies keep the caller's headers, so Host and Origin say nothing and are not looked at, and a
head may have 64 KiB. A refusal is never 3xx: the kubelet's proxy would follow or hide it (security rule G4). It has a
length and closes the connection.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import h11

HEAD_LIMIT = 64 * 1024
SPDY = "SPDY/3.1"
PROTOCOL_HEADER = "x-stream-protocol-version"
_ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions"
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""
_WEBSOCKET_VERSION = "13"
_KEY_BYTES = 16
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Refused(Exception):
    """The request gets an error as answer."""

    def __init__(self, status: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.status = status
        self.text = text
        self.headers = tuple(headers)
        super().__init__(status, text)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestHead:
    """A request without its body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    rest: bytes = b""
    """What the client sent behind the head already."""

    def values(self, name: str) -> list[str]:
        """Return the values of a header, those of comma separated lists one by one."""
        lines = [value for each, value in self.headers if each == name]
        return [word.strip() for line in lines for word in line.split(",")]

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class HeadReader:
    """Reads one request head."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)

    def feed(self, data: bytes) -> RequestHead | None:
        """Return the head once it is complete.

        Raises:
            Refused: this is no request, too large, or has a body.
        """
        try:
            self._connection.receive_data(data)
            event = self._connection.next_event()
            if not isinstance(event, h11.Request):
                return None
            # `Content-Length: 0` is what Go sends with each POST.
            body = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, "this is no HTTP request") from error
        if not isinstance(body, h11.EndOfMessage):
            raise Refused(400, "a streaming request has no body")
        rest, _ = self._connection.trailing_data
        return RequestHead(
            method=event.method.decode("latin-1"),
            target=event.target.decode("latin-1"),
            headers=tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
            ),
            rest=rest,
        )


class Transport(Enum):
    """What carries the streams."""

    SPDY = auto()
    WEBSOCKET = auto()
    TUNNEL = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """Protocol names that one kind of URL speaks."""

    spdy: tuple[str, ...]
    websocket: tuple[str, ...]
    """The empty name stands for a client that names none."""
    tunnel: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """What was agreed, and the answer that says so."""

    transport: Transport
    protocol: str
    response: bytes


def negotiate(head: RequestHead, offer: Offer) -> Upgrade:
    """Choose the first protocol in the client's order that is offered.

    Raises:
        Refused: the request asks for no upgrade that is known, or names no protocol in common.
    """
    upgrades = [word.lower() for word in head.values("upgrade")]
    wants_upgrade = "upgrade" in [word.lower() for word in head.values("connection")]
    if wants_upgrade and SPDY.lower() in upgrades:
        return _spdy(head, offer)
    if wants_upgrade and "websocket" in upgrades:
        return _websocket(head, offer)
    raise Refused(400, "ask for an upgrade to SPDY/3.1 or websocket")


def _spdy(head: RequestHead, offer: Offer) -> Upgrade:
    names = [name for name in head.values(PROTOCOL_HEADER) if name]
    if not names:
        raise Refused(400, f"name a protocol in {PROTOCOL_HEADER}")
    chosen = next((name for name in names if name in offer.spdy), None)
    if chosen is None:
        raise Refused(
            403,
            f"none of the protocols in {PROTOCOL_HEADER} is known",
            [(_ACCEPTED_HEADER, name) for name in offer.spdy],
        )
    response = _switching(SPDY, ("X-Stream-Protocol-Version", chosen))
    return Upgrade(transport=Transport.SPDY, protocol=chosen, response=response)


def _websocket(head: RequestHead, offer: Offer) -> Upgrade:
    if head.method != "GET":
        raise Refused(405, "a WebSocket begins with GET", [("Allow", "GET")])
    if head.values("sec-websocket-version") != [_WEBSOCKET_VERSION]:
        version = ("Sec-WebSocket-Version", _WEBSOCKET_VERSION)
        raise Refused(426, "WebSocket version 13 is spoken here", [version])
    names = [name for name in head.values("sec-websocket-protocol") if name] or [""]
    known = (*offer.websocket, *offer.tunnel)
    chosen = next((name for name in names if name in known), None)
    if chosen is None:
        raise Refused(403, "none of the offered WebSocket protocols is known")
    agreed = [("Sec-WebSocket-Protocol", chosen)] if chosen else []
    accept = ("Sec-WebSocket-Accept", _accept_key(head))
    return Upgrade(
        transport=Transport.TUNNEL if chosen in offer.tunnel else Transport.WEBSOCKET,
        protocol=chosen,
        response=_switching("websocket", accept, *agreed),
    )


def _accept_key(head: RequestHead) -> str:
    keys = head.values("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refused(400, "Sec-WebSocket-Key is missing or damaged")
    # RFC 6455 section 4.2.2; SHA-1 proves here that the header was read, nothing else.
    digest = hashlib.sha1((keys[0] + _WEBSOCKET_GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except ValueError:
        return False


def _switching(protocol: str, *headers: tuple[str, str]) -> bytes:
    lines = [("Connection", "Upgrade"), ("Upgrade", protocol), *headers]
    return _head("101 Switching Protocols", lines)


def refusal(refused: Refused) -> bytes:
    """Return the whole answer to a refused request."""
    body = f"{refused.text}\n".encode()
    lines = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *refused.headers,
    ]
    reason = _REASONS.get(refused.status, "Error")
    return _head(f"{refused.status} {reason}", lines) + body


def _head(status: str, lines: Sequence[tuple[str, str]]) -> bytes:
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"HTTP/1.1 {status}\r\n{text}\r\n".encode("latin-1")
