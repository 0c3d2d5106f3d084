"""The order of endpoints over several rounds, and when it ends."""

import asyncio

import looptime
import pytest

from image.errors import ImageError, NotFound, PermissionDenied, Unavailable
from image.protocol.endpoint_outcome import FailureKind, Outcome
from image.protocol.mirror_rules import Endpoint
from image.protocol.retry_policy import RetryPolicy
from image.registry.endpoint_health import EndpointHealth
from image.registry.endpoint_rounds import EndpointRounds, Habits

MIRROR = Endpoint(url="https://m.test/v2", is_origin=False)
ORIGIN = Endpoint(url="https://o.test/v2", is_origin=True)
PATIENT = RetryPolicy(first_wait=10.0)


def failed(kind: FailureKind, *, retry_after: float | None = None) -> Outcome:
    return Outcome(endpoint="e", kind=kind, text=kind.value, retry_after=retry_after)


def rounds(*endpoints: Endpoint, policy: RetryPolicy | None = None) -> EndpointRounds:
    habits = Habits(policy=policy or RetryPolicy(first_wait=0.0, max_attempts=2))
    return EndpointRounds("it", endpoints, habits)


async def drive(state: EndpointRounds, *kinds: FailureKind) -> list[str]:
    """Let each attempt fail in turn, and give who was asked."""
    asked = []
    for kind in kinds:
        asked.append((await state.wait_next()).url[8])
        state.note_failure(failed(kind))
    return asked


async def test_every_endpoint_is_asked_once_in_each_round() -> None:
    state = rounds(MIRROR, ORIGIN)
    assert await drive(state, *[FailureKind.SERVER] * 4) == ["m", "o", "m", "o"]
    with pytest.raises(Unavailable):
        await state.wait_next()


async def hurried(state: EndpointRounds, attempts: int) -> list[bool]:
    """Let each attempt fail in turn, and give which were not worth a long wait."""
    seen = []
    for _ in range(attempts):
        await state.wait_next()
        seen.append(state.is_hurried)
        state.note_failure(failed(FailureKind.SERVER))
    return seen


async def test_only_a_mirror_that_is_followed_in_the_first_round_is_hurried() -> None:
    assert await hurried(rounds(MIRROR, ORIGIN), 4) == [True, False, False, False]


async def test_an_origin_before_a_dead_mirror_has_its_time() -> None:
    health = EndpointHealth()
    health.note_unreachable(MIRROR)
    habits = Habits(policy=RetryPolicy(first_wait=0.0, max_attempts=2), health=health)
    state = EndpointRounds("it", (MIRROR, ORIGIN), habits)
    assert await hurried(state, 2) == [False, False]


async def test_mirror_that_does_not_have_it_is_not_asked_again() -> None:
    state = rounds(MIRROR, ORIGIN)
    kinds = [FailureKind.NOT_FOUND, FailureKind.SERVER, FailureKind.SERVER]
    assert await drive(state, *kinds) == ["m", "o", "o"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [(FailureKind.NOT_FOUND, NotFound), (FailureKind.UNAUTHORISED, PermissionDenied)],
)
async def test_word_of_the_origin_is_final(kind: FailureKind, error: type[ImageError]) -> None:
    state = rounds(MIRROR, ORIGIN)
    await drive(state, FailureKind.SERVER, kind)
    with pytest.raises(error):
        await state.wait_next()


async def test_broken_tls_is_not_retried_but_leads_on() -> None:
    state = rounds(MIRROR, ORIGIN)
    assert await drive(state, FailureKind.UNTRUSTED, FailureKind.UNTRUSTED) == ["m", "o"]
    with pytest.raises(Unavailable):
        await state.wait_next()


async def test_no_endpoint_is_an_error_at_once() -> None:
    with pytest.raises(Unavailable, match="no endpoint is configured"):
        await rounds().wait_next()


async def test_unreachable_endpoint_is_asked_last_by_the_next_request() -> None:
    habits = Habits(policy=RetryPolicy(first_wait=0.0))
    first = EndpointRounds("it", [MIRROR, ORIGIN], habits)
    await drive(first, FailureKind.UNREACHABLE)
    second = EndpointRounds("it", [MIRROR, ORIGIN], habits)
    assert await second.wait_next() is ORIGIN


async def test_endpoint_that_is_known_to_be_dead_is_told_though_it_was_not_asked() -> None:
    habits = Habits(policy=RetryPolicy(first_wait=0.0))
    habits.health.note_unreachable(MIRROR)
    state = EndpointRounds("it", [MIRROR, ORIGIN], habits)
    assert await drive(state, FailureKind.NOT_FOUND) == ["o"]
    with pytest.raises(NotFound) as caught:
        await state.wait_next()
    assert caught.value.details[-1] == "https://m.test: not asked, it could not be reached lately"


@pytest.mark.parametrize(
    ("retry_after", "shortest", "longest"), [(None, 10.0, 12.5), (40.0, 40.0, 40.0)]
)
def test_pause_between_rounds_is_the_policys(
    retry_after: float | None, shortest: float, longest: float
) -> None:
    async def wait() -> float:
        state = rounds(ORIGIN, policy=PATIENT)
        await state.wait_next()
        state.note_failure(failed(FailureKind.THROTTLED, retry_after=retry_after))
        await state.wait_next()
        return asyncio.get_running_loop().time()

    loop = looptime.new_event_loop()
    try:
        passed = loop.run_until_complete(wait())
    finally:
        loop.close()
    assert shortest <= passed <= longest + 0.1


class Pauses:
    """Keeps the pauses."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def answered(self, host: str, answer: str) -> None:
        raise AssertionError

    def pauses(self, seconds: float, last: Outcome) -> None:
        self.told.append((seconds, last.kind.value))


def test_a_pause_between_rounds_is_told_with_its_cause() -> None:
    pauses = Pauses()

    async def wait() -> None:
        state = EndpointRounds("it", [ORIGIN], Habits(policy=PATIENT, listener=pauses))
        await state.wait_next()
        state.note_failure(failed(FailureKind.THROTTLED, retry_after=17.0))
        await state.wait_next()

    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(wait())
    finally:
        loop.close()
    ((seconds, kind),) = pauses.told
    assert kind == "throttled"
    assert seconds >= 17
