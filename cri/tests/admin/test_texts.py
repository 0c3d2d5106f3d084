"""Times are written and read as RFC 3339."""

import pytest

from cri.admin.texts import parse_rfc3339, rfc3339, seconds


def test_times_are_utc_to_the_millisecond() -> None:
    assert rfc3339(0) == ""
    assert rfc3339(1_500_000_000) == "1970-01-01T00:00:01.500Z"
    assert seconds(1.23456) == 1.235


def test_times_are_read_with_and_without_zone() -> None:
    assert parse_rfc3339("1970-01-01T00:00:01Z") == 1_000_000_000
    assert parse_rfc3339("1970-01-02") == 86_400_000_000_000
    with pytest.raises(ValueError, match="tomorrow"):
        parse_rfc3339("tomorrow")
