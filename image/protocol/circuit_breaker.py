"""When an endpoint that could not be reached is worth a question again.

Pure: clock readings in, decisions out. A circuit is open for half a minute after the first failure and twice as long
after each further one; then it is due for a probe, and whatever answers the probe closes it.
"""

from dataclasses import dataclass

_FIRST_WAIT = 30.0
_LONGEST_WAIT = 600.0
MAX_CIRCUITS = 1024
"""Endpoints that are remembered; a node has some ten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """What is known of an endpoint that failed; one that works has none."""

    failures: int
    """Failed attempts to reach it since it last answered, at least 1."""
    open_until: float
    """Reading of the monotonic clock, which all processes of a machine share."""

    def is_due(self, now: float) -> bool:
        """Tell whether it may be probed."""
        return now >= self.open_until


def after_failure(before: Circuit | None, *, now: float) -> Circuit:
    """Give the state after an attempt failed; failures of requests that ran together count once."""
    if before is not None and not before.is_due(now):
        return before
    failures = before.failures + 1 if before else 1
    wait = min(_FIRST_WAIT * 2.0 ** min(failures - 1, 16), _LONGEST_WAIT)
    return Circuit(failures=failures, open_until=now + wait)


def bounded(failures: int, open_until: float, *, now: float) -> Circuit:
    """Take over what another process says, within what could be true."""
    until = min(open_until, now + _LONGEST_WAIT)
    return Circuit(failures=min(max(failures, 1), 1000), open_until=until)
