"""Tokens: the right to begin one session, once, within 60 seconds.

A token is 128 random bits, bound to one kind of URL and to one request, and gone with the first connection that shows
it, whatever becomes of that (security rule G4). At most 1000 wait at a time. It is never logged.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from runtime.drivers.driver import ExecStreamRequest
from runtime.errors import ResourceExhausted

LIFE_SECONDS = 60.0
WAITING_LIMIT = 1000
"""As both Go runtimes."""
_TOKEN_BYTES = 16


class Kind(StrEnum):
    """What a URL is for; its path begins with this."""

    EXEC = "exec"
    ATTACH = "attach"
    PORT_FORWARD = "portforward"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecGrant:
    """An exec that was asked for."""

    container_id: str
    request: ExecStreamRequest
    stdout: bool
    stderr: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachGrant:
    """An attach that was asked for."""

    container_id: str
    terminal: bool
    stdin: bool
    stdout: bool
    stderr: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PortForwardGrant:
    """A port-forward that was asked for."""

    sandbox_id: str
    ports: tuple[int, ...]
    """For WebSocket clients of the old form; others name ports on each stream."""


Grant: TypeAlias = ExecGrant | AttachGrant | PortForwardGrant

_KINDS: dict[type[Grant], Kind] = {
    ExecGrant: Kind.EXEC,
    AttachGrant: Kind.ATTACH,
    PortForwardGrant: Kind.PORT_FORWARD,
}


class SessionTokens:
    """The tokens that wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[float, Grant]] = {}
        """Oldest first."""

    def issue(self, grant: Grant) -> str:
        """Return the path of a URL that is good for one connection.

        Raises:
            ResourceExhausted: too many wait already.
        """
        self._forget_old()
        if len(self._waiting) >= WAITING_LIMIT:
            raise ResourceExhausted(
                "streaming request",
                f"{WAITING_LIMIT} URLs wait for their client",
                remedy=f"try again; each is given up after {LIFE_SECONDS:g} s",
                reason="TooManyTokens",
            )
        path = f"/{_KINDS[type(grant)]}/{secrets.token_urlsafe(_TOKEN_BYTES)}"
        self._waiting[path] = (self._clock() + LIFE_SECONDS, grant)
        return path

    def redeem(self, path: str) -> Grant | None:
        """Take the grant behind a path; None for whatever is wrong, used or late."""
        self._forget_old()
        found = self._waiting.pop(path, None)
        return None if found is None else found[1]

    def __len__(self) -> int:
        """Return how many wait."""
        self._forget_old()
        return len(self._waiting)

    def _forget_old(self) -> None:
        now = self._clock()
        for path, (until, _) in tuple(self._waiting.items()):
            if until > now:
                break
            del self._waiting[path]
