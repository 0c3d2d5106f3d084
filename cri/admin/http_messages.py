"""What passes between the HTTP server and those who answer: requests, bodies and replies as plain values.

Knows no verb and no socket. A body is read at most once, and never beyond the limit that its reader names.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

JSON = "application/json"
JSON_LINES = "application/jsonl"


class Body(Protocol):
    """The bytes that follow a request's head."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Give the bytes as they arrive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request whose head was read."""

    method: str
    path: str
    """Decoded, without query."""
    query: Mapping[str, str]
    """The last value of each name."""
    body: Body


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What is sent back."""

    status: int = 200
    media_type: str = JSON
    body: bytes | AsyncGenerator[bytes, None] = b""
    """All of it, or pieces; a generator is closed when the client goes away."""


Responder = Callable[[Request], Awaitable[Reply]]
"""Answers one request; raises nothing but CancelledError."""
