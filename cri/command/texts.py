"""Numbers and tables as people read them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from image.model.json_document import JsonObject

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """Return bytes with three significant digits, in powers of 1000: `742 MB`, `1.21 GB`."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    digits = 0 if unit == 0 or count >= 99.95 else 1 if count >= 9.995 else 2
    return f"{count:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a time span in its largest unit that fits: `80 ms`, `4.3 s`, `2 min`, `3 h`, `12 d`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    if seconds < 7170:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def age(moment: str, now: datetime | None = None) -> str:
    """Return how long ago an RFC 3339 time was; `-` when it is empty."""
    if not moment:
        return "-"
    passed = (now or datetime.now(UTC)) - datetime.fromisoformat(moment)
    return duration(max(0.0, passed.total_seconds()))


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 image`, `2 images`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def number(document: JsonObject, key: str) -> float:
    """Return the number under a key, 0 when it is absent."""
    value = document.fields.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def flag(document: JsonObject, key: str) -> bool:
    """Return the truth value under a key, false when it is absent."""
    return document.fields.get(key) is True


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines; a heading that starts with `>` is aligned to the right."""
    right = [name.startswith(">") for name in head]
    names = [name.removeprefix(">") for name in head]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (names, *rows)
    ]


def short(digest: str) -> str:
    """Return the first 12 digits of a digest or id."""
    return digest.partition(":")[2][:12] or digest[:12]
