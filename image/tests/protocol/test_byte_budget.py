"""Bytes cost time, and time is not saved up."""

from image.protocol.byte_budget import ByteBudget


def test_rate_is_kept_over_many_pieces() -> None:
    budget, now = ByteBudget(now=0.0), 0.0
    for _ in range(10):
        now += budget.spend(1000, now=now, rate=1000)
    assert now == 10.0


def test_pause_gives_a_small_burst_only() -> None:
    budget = ByteBudget(now=0.0)
    assert budget.spend(1000, now=100.0, rate=1000) == 0.75


def test_no_limit_is_no_wait() -> None:
    assert ByteBudget(now=0.0).spend(10**12, now=0.0, rate=0) == 0.0
