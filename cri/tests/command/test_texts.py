"""Numbers as people read them."""

from datetime import UTC, datetime

import pytest

from cri.command.texts import age, count, duration, flag, number, short, size, table
from image.model.json_document import JsonObject


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (741_600_000, "742 MB"),
        (1_210_000_000, "1.21 GB"),
        (12_345_678, "12.3 MB"),
        (999_999, "1.00 MB"),
        (5e18, "5000 PB"),
    ],
)
def test_sizes(given: float, wanted: str) -> None:
    assert size(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (0.08, "80 ms"),
        (4.31, "4.3 s"),
        (41, "41 s"),
        (180, "3 min"),
        (7200, "2 h"),
        (86_400 * 3, "3 d"),
    ],
)
def test_durations(given: float, wanted: str) -> None:
    assert duration(given) == wanted


def test_ages_nouns_and_digests() -> None:
    now = datetime(2026, 1, 1, 0, 3, tzinfo=UTC)
    assert age("2026-01-01T00:00:00.000Z", now) == "3 min"
    assert age("") == "-"
    assert (count(1, "image"), count(2, "image")) == ("1 image", "2 images")
    assert (short("sha256:0123456789abcdef"), short("abc")) == ("0123456789ab", "abc")


def test_fields_of_other_types_are_absent() -> None:
    document = JsonObject(subject="x", fields={"a": 1.5, "b": "1", "c": True})
    assert (number(document, "a"), number(document, "b")) == (1.5, 0.0)
    assert (flag(document, "c"), flag(document, "b")) == (True, False)


def test_tables_are_aligned() -> None:
    assert table(("A", ">B"), [("long", "1"), ("x", "22")]) == ["A      B", "long   1", "x     22"]
