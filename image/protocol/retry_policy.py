"""When a failed request is worth another one, and how long to wait before it.

Pure: the clock reading and the random number are passed in. At most five attempts, as Docker's puller makes
(pull rule 1.16); a server that asks for more patience than `longest_wait` is not asked again by this pull.
"""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d{1,9}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter, bounded in attempts and in time."""

    max_attempts: int = 5
    first_wait: float = 1.0
    """Seconds before the second attempt; doubled for each further one."""
    longest_wait: float = 60.0
    """The kubelet's own image back-off starts again after that, so waiting longer here gains nothing."""

    def wait_before_next(
        self, *, failures: int, retry_after: float | None = None, jitter: float = 0.0
    ) -> float | None:
        """Give the seconds to wait, or None when this was the last attempt.

        Args:
            failures: attempts that failed so far, at least 1.
            retry_after: what the server asked for.
            jitter: a random number of 0 to 1; spreads nodes that failed at the same moment.
        """
        if failures >= self.max_attempts:
            return None
        wait = self.first_wait * 2.0 ** (failures - 1) * (1.0 + 0.25 * jitter)
        if retry_after is None:
            return min(wait, self.longest_wait)
        if retry_after > self.longest_wait:
            return None
        return min(max(wait, retry_after), self.longest_wait)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110 section 10.2.3); None when absent or unreadable.

    Args:
        value: the header's value.
        now: seconds since the epoch.
    """
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # "-0000" and no zone both mean UTC in HTTP
    return max(0.0, moment.timestamp() - now)
