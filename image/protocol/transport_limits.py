"""How long each stage of a request may take, and what an operator is told when one took longer.

Pure numbers and words. Every stage has a budget of its own, because each failure has another remedy: a network, a
registry, a line.
"""

from dataclasses import dataclass

CONNECT_REMEDY = (
    "check network, firewall and proxy; a slow line needs a larger image.connect_timeout_seconds,"
    " or dial_timeout in hosts.toml"
)
FIRST_BYTE_REMEDY = (
    "look after the registry and its storage; if they are only slow, raise"
    " image.first_byte_timeout_seconds"
)
RATE_REMEDY = (
    "look for a bad line or an overloaded registry; a slow line needs a lower"
    " image.min_bytes_per_second"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportLimits:
    """Budgets of the stages of one request."""

    connect: float = 30.0
    """Seconds for the name, TCP and TLS; a host's `dial_timeout` overrides it."""
    first_byte: float = 60.0
    """Seconds from the request to the head of the answer; registries behind cold storage need 30."""
    window: float = 60.0
    """Seconds over which the rate of a body is judged; no byte at all for so long ends it too."""
    min_rate: int = 1024
    """Bytes per second that a body must bring over each window, below any usable line; 0 asks for some byte only."""

    @property
    def minimum_bytes(self) -> int:
        """Bytes that each window must bring."""
        return max(1, int(self.min_rate * self.window))

    def no_connection(self, seconds: float) -> str:
        """Say that connecting took longer than `seconds`."""
        return f"no connection within {seconds:g} s"

    def no_answer(self, seconds: float) -> str:
        """Say that the first byte did not come within `seconds`."""
        return f"connected, but no answer for {seconds:g} s"

    def no_byte(self) -> str:
        """Say that a body has stopped."""
        return f"no byte arrived for {self.window:g} s"

    def too_slow(self, received: int) -> str:
        """Say that a window brought only `received` bytes."""
        return f"sent {received} bytes in {self.window:g} s, less than {self.min_rate} bytes/s"
