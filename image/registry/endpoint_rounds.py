"""The order in which endpoints are asked, and how often: mirrors before the origin, round after round.

Each round asks every endpoint once that may still help. Between rounds it waits as the retry policy says. What an
origin says about access and existence is final (pull rule 1.22); a mirror's opinion only sends us on.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from image.errors import ImageError
from image.protocol.endpoint_outcome import FailureKind, Outcome, final_error
from image.protocol.mirror_rules import Endpoint
from image.protocol.retry_policy import RetryPolicy
from image.registry.endpoint_health import EndpointHealth
from image.registry.request_listener import RequestListener

_FINAL_AT_ORIGIN = frozenset({FailureKind.UNAUTHORISED, FailureKind.NOT_FOUND, FailureKind.REFUSED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """What all requests of one client share: its patience and its memory."""

    policy: RetryPolicy
    health: EndpointHealth = field(default_factory=EndpointHealth)
    listener: RequestListener | None = None


class EndpointRounds:
    """The state of one request over all its attempts."""

    def __init__(self, subject: str, endpoints: Sequence[Endpoint], habits: Habits) -> None:
        self._subject = subject
        self._habits = habits
        self._unasked = list(endpoints)
        self._useful = habits.health.order(endpoints)
        self._waiting = list(self._useful)
        self._current: Endpoint | None = None
        self._asked_at = 0.0
        self._rounds = 0
        self._retry_after: float | None = None
        self._is_final = False
        self.outcomes: list[Outcome] = []
        """Every failure so far, in order."""

    async def wait_next(self) -> Endpoint:
        """Give the endpoint to ask now, after the pause that the policy wants.

        Raises:
            ImageError: none is left; lists every endpoint with its outcome.
        """
        if self._is_final or not self._useful:
            raise self._final_error()
        if not self._waiting:
            await self._start_round()
        self._current = self._waiting.pop(0)
        if self._current in self._unasked:
            self._unasked.remove(self._current)
        self._asked_at = asyncio.get_running_loop().time()
        return self._current

    @property
    def is_hurried(self) -> bool:
        """Whether the current endpoint is not worth a long wait: a mirror, in the first round, that others follow."""
        is_mirror = self._current is not None and not self._current.is_origin
        return is_mirror and not self._rounds and bool(self._waiting)

    def note_success(self) -> None:
        """Record that the current endpoint served the request."""
        if self._current is not None:
            self._habits.health.note_answer(self._current)

    def note_failure(self, outcome: Outcome) -> None:
        """Record that the current endpoint failed, and decide whether it may be asked again."""
        endpoint = self._current
        assert endpoint is not None, "an endpoint failed before one was given out"
        seconds = asyncio.get_running_loop().time() - self._asked_at
        self.outcomes.append(replace(outcome, seconds=seconds))
        if outcome.retry_after is not None:
            self._retry_after = max(outcome.retry_after, self._retry_after or 0.0)
        if outcome.kind is FailureKind.UNREACHABLE:
            self._habits.health.note_unreachable(endpoint)
        else:
            self._habits.health.note_answer(endpoint)
        if outcome.is_retried:
            return
        self._useful.remove(endpoint)
        self._is_final = endpoint.is_origin and outcome.kind in _FINAL_AT_ORIGIN

    def _final_error(self) -> ImageError:
        """Make the error that tells every endpoint, also one that was left alone because it is known to be dead."""
        error = final_error(self._subject, self.outcomes)
        dead = [one for one in self._unasked if self._habits.health.is_dead(one)]
        error.details += tuple(
            f"{one.shown}: not asked, it could not be reached lately" for one in dead
        )
        return error

    async def _start_round(self) -> None:
        self._rounds += 1
        wait = self._habits.policy.wait_before_next(
            failures=self._rounds,
            retry_after=self._retry_after,
            jitter=random.random(),  # noqa: S311 - spreads load, guards nothing
        )
        if wait is None:
            raise self._final_error()
        self._retry_after = None
        if self._habits.listener is not None:
            self._habits.listener.pauses(wait, self.outcomes[-1])
        await asyncio.sleep(wait)
        self._waiting = list(self._useful)
