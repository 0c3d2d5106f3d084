"""Every stage has its own budget and its own words."""

from image.protocol.transport_limits import TransportLimits

LIMITS = TransportLimits(connect=1.0, first_byte=2.0, window=3.0, min_rate=1000)


def test_each_stage_is_told_with_its_time() -> None:
    assert LIMITS.no_connection(0.5) == "no connection within 0.5 s"
    assert LIMITS.no_answer(2.0) == "connected, but no answer for 2 s"
    assert LIMITS.no_byte() == "no byte arrived for 3 s"
    assert LIMITS.too_slow(7) == "sent 7 bytes in 3 s, less than 1000 bytes/s"


def test_window_wants_the_rate_and_at_least_some_byte() -> None:
    assert LIMITS.minimum_bytes == 3000
    assert TransportLimits(min_rate=0).minimum_bytes == 1
