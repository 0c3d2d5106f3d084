"""Waits grow, are bounded, and follow the server within reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.protocol.retry_policy import RetryPolicy, parse_retry_after

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


def test_waits_double_until_the_last_attempt() -> None:
    policy = RetryPolicy()
    waits = [policy.wait_before_next(failures=n) for n in range(1, 7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, None, None]


def test_jitter_lengthens_by_a_quarter_at_most() -> None:
    assert RetryPolicy().wait_before_next(failures=2, jitter=1.0) == 2.5


def test_wait_is_bounded() -> None:
    policy = RetryPolicy(max_attempts=50)
    assert policy.wait_before_next(failures=30) == 60.0
    assert policy.wait_before_next(failures=30, retry_after=5.0) == 60.0


def test_server_decides_how_long_to_wait_within_reason() -> None:
    policy = RetryPolicy()
    assert policy.wait_before_next(failures=1, retry_after=30.0) == 30.0
    assert policy.wait_before_next(failures=1, retry_after=0.0) == 1.0
    assert policy.wait_before_next(failures=1, retry_after=61.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("-5", None),
        ("12", 12.0),
        (" 0 ", 0.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60.0),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("Sun, 06 Nov 99999 08:48:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_header_is_survived(value: str) -> None:
    parse_retry_after(value, now=NOW)
