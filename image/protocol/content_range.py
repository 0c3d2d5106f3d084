"""Range requests: how to ask for the rest of a blob, and what an answer to that means (RFC 9110 section 14).

Pure. A wrong answer never damages content: the caller then reads from the first byte again and skips what it has.
"""

import re
from enum import Enum

_CONTENT_RANGE = re.compile(r"bytes[ \t]+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.IGNORECASE)


class RangeAnswer(Enum):
    """What the body of an answer is."""

    REST = "rest"
    """Starts at the offset that was asked for."""
    WHOLE = "whole"
    """Starts at byte 0: the server ignores ranges, which it may."""
    UNUSABLE = "unusable"
    """Another part, or another blob: ask again without a range."""


def range_header(offset: int) -> str:
    """Ask for everything from `offset` on."""
    return f"bytes={offset}-"


def parse_content_range(value: str) -> tuple[int, int, int | None] | None:
    """Read `bytes FIRST-LAST/TOTAL` as (first, last, total or None); None when it is not that."""
    found = _CONTENT_RANGE.fullmatch(value.strip())
    if found is None:
        return None
    first, last = int(found[1]), int(found[2])
    total = None if found[3] == "*" else int(found[3])
    if last < first or (total is not None and last >= total):
        return None
    return first, last, total


def judge_range_answer(status: int, content_range: str, *, offset: int, size: int) -> RangeAnswer:
    """Decide what a 200, 206 or 416 answer to a range request holds.

    Args:
        status: the status code.
        content_range: the header's value, empty when absent.
        offset: the first byte that was asked for, above 0.
        size: the size of the blob as its descriptor says.
    """
    if status == 200:
        return RangeAnswer.WHOLE
    if status != 206:
        return RangeAnswer.UNUSABLE
    given = parse_content_range(content_range)
    if given is None or given[0] != offset or given[2] not in (None, size):
        return RangeAnswer.UNUSABLE
    return RangeAnswer.REST
