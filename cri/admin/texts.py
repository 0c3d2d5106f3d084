"""Values as JSON shows them: times in RFC 3339, seconds as rounded numbers. Pure."""

from datetime import UTC, datetime


def rfc3339(nanoseconds: int) -> str:
    """Return a moment in UTC to the millisecond, empty for 0."""
    if not nanoseconds:
        return ""
    moment = datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> int:
    """Return nanoseconds since the epoch; a time without zone is UTC.

    Raises:
        ValueError: it is no time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1e9)


def seconds(value: float) -> float:
    """Return seconds to the millisecond."""
    return round(value, 3)
