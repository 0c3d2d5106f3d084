"""A dead endpoint is left alone longer and longer, but never for ever."""

from image.protocol.circuit_breaker import Circuit, after_failure, bounded


def test_waits_double_up_to_ten_minutes() -> None:
    now, circuit, waits = 0.0, None, []
    for _ in range(7):
        circuit = after_failure(circuit, now=now)
        waits.append(circuit.open_until - now)
        now = circuit.open_until
        assert circuit.is_due(now)
        assert not circuit.is_due(now - 0.1)
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_failures_of_one_moment_count_once() -> None:
    circuit = after_failure(None, now=0.0)
    assert after_failure(circuit, now=29.0) is circuit


def test_foreign_word_is_kept_within_bounds() -> None:
    assert bounded(0, 1e9, now=5.0) == Circuit(failures=1, open_until=605.0)
    assert bounded(10**9, 3.0, now=5.0) == Circuit(failures=1000, open_until=3.0)
