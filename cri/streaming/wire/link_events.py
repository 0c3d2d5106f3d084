"""What happens on a link, and the Protocol that every kind of link fulfils: SPDY, WebSocket channels, the tunnel.

Declarations alone. A stream has an id that its link chose; headers say what it is for (`streamtype`, `port`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer wants a new stream; answer with `accept` or `reset`."""

    id: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamData:
    """Bytes on a stream."""

    id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The peer sends nothing more on this stream; it may still read."""

    id: int


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The peer is done with this stream in both directions."""

    id: int


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """The peer said goodbye; nothing more comes on any stream."""


LinkEvent: TypeAlias = StreamOpened | StreamData | StreamEnded | StreamReset | LinkEnded


class LinkError(Exception):
    """The peer broke the protocol: send what `take_output` still holds, then close the connection."""


class Link(Protocol):
    """One client's protocol state. What is to be sent collects until `take_output`."""

    def receive(self, data: bytes) -> list[LinkEvent]:
        """Take bytes from the connection and return what they mean.

        Raises:
            LinkError: the peer broke the protocol or a limit.
        """

    def accept(self, id: int) -> None:
        """Agree to a stream that the peer opened."""

    def send(self, id: int, data: bytes) -> None:
        """Send bytes on a stream; nothing when it cannot take any more."""

    def finish(self, id: int) -> None:
        """Send nothing more on a stream, where the protocol can say that; the peer may go on."""

    def reset(self, id: int) -> None:
        """End a stream in both directions, where the protocol can say that."""

    def seal(self) -> None:
        """Refuse streams from now on, and free what only new streams need."""

    def end_session(self) -> None:
        """Say that all is sent, where the protocol wants it said before the peer hangs up."""

    def close(self) -> None:
        """Say goodbye, right before the connection is closed."""

    def take_output(self) -> list[bytes]:
        """Return what must be sent now, in order."""
