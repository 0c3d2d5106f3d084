"""Tokens: once, for a minute, for one request."""

import base64

import pytest

from cri.streaming.session_tokens import (
    LIFE_SECONDS,
    WAITING_LIMIT,
    AttachGrant,
    ExecGrant,
    PortForwardGrant,
    SessionTokens,
)
from runtime.drivers.driver import ExecStreamRequest
from runtime.errors import ResourceExhausted

GRANT = PortForwardGrant(sandbox_id="a", ports=())


class Clock:
    """A clock that stands until told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> SessionTokens:
    return SessionTokens(clock)


def test_a_token_is_good_once_and_for_its_own_path(tokens: SessionTokens) -> None:
    path = tokens.issue(GRANT)
    assert tokens.redeem(path.replace("portforward", "exec")) is None
    assert tokens.redeem(path) is GRANT
    assert tokens.redeem(path) is None


def test_a_token_is_128_bits_and_never_the_same(tokens: SessionTokens) -> None:
    found = {tokens.issue(GRANT).rpartition("/")[2] for _ in range(100)}
    assert len(found) == 100
    assert all(len(base64.urlsafe_b64decode(f"{token}==")) == 16 for token in found)


def test_paths_tell_the_kind(tokens: SessionTokens) -> None:
    request = ExecStreamRequest(command=("x",))
    exec_grant = ExecGrant(container_id="c", request=request, stdout=True, stderr=True)
    attach = AttachGrant(container_id="c", terminal=False, stdin=True, stdout=True, stderr=True)
    assert tokens.issue(exec_grant).startswith("/exec/")
    assert tokens.issue(attach).startswith("/attach/")
    assert tokens.issue(GRANT).startswith("/portforward/")


def test_a_late_token_is_nothing(tokens: SessionTokens, clock: Clock) -> None:
    path = tokens.issue(GRANT)
    clock.now += LIFE_SECONDS - 0.1
    fresh = tokens.issue(GRANT)
    clock.now += 0.1
    assert tokens.redeem(path) is None
    assert tokens.redeem(fresh) is GRANT


def test_too_many_waiting_are_refused_until_some_are_old(
    tokens: SessionTokens, clock: Clock
) -> None:
    for _ in range(WAITING_LIMIT):
        tokens.issue(GRANT)
    with pytest.raises(ResourceExhausted, match="try again"):
        tokens.issue(GRANT)
    clock.now += LIFE_SECONDS
    tokens.issue(GRANT)
