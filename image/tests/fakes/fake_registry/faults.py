"""Faults: what goes wrong, at which requests, how many times."""

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "reset",
    "short_body",
    "short_unannounced",
    "stall",
    "drip",
    "wrong_bytes",
    "lying_length",
    "extra_bytes",
    "status",
    "redirect",
    "ignore_range",
    "wrong_range",
    "replace_body",
    "hang up",
    "silence",
    "add_headers",
    "chunked",
    "http_1_0",
    "close_after",
]
"""
reset: the connection is reset after `at_byte` bytes of the body.
short_body: the connection is closed politely after `at_byte` bytes.
short_unannounced: the same without a Content-Length, so that only the size tells.
stall: nothing more is sent after `at_byte` bytes, until the registry closes.
drip: a byte now and then, until the registry closes or the client gives up.
wrong_bytes: the byte at `at_byte` is another one; length and headers are right.
lying_length: Content-Length says `at_byte` more than there is; then the connection is closed.
extra_bytes: `at_byte` bytes more than there are, announced by no length.
status: `status` with `body` and `headers` instead of an answer.
redirect: `status` (307 when 0) to `location`.
ignore_range: the whole blob with 200, whatever range was asked for.
wrong_range: a 206 that begins one byte too late.
add_headers: `headers` besides the right ones.
chunked: the body in chunks, with no length.
http_1_0: an answer of HTTP/1.0 with no length, which ends with the connection.
close_after: the right answer, after which the connection is closed without a word.
hang up: the connection is closed without an answer.
silence: there is no answer, until the registry closes.
replace_body: `body` instead of the content, with its own right length.
"""

Place = Literal["blob", "manifest", "token", "tags", "head manifest", "referrers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: FaultKind
    on: Place = "blob"
    at_byte: int = 0
    status: int = 0
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    location: str = ""
    times: int = 1
    """How many matching requests it hits; -1 for all."""
    only: str = ""
    """Hits only requests whose path ends so, for example with a digest."""

    def hits(self, place: str, path: str) -> bool:
        """Tell whether this fault is for the request."""
        return self.on == place and path.endswith(self.only)
