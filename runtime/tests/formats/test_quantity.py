"""Kubernetes quantities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10M", 10_000_000),
        ("1.5Gi", 1_610_612_736),
        ("500m", 1),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12E-1", 2),
        ("1E", 10**18),
        (".5k", 500),
        ("5.", 5),
        ("+3", 3),
        ("-1.5", -1),
        (" 7 ", 7),
        ("0.1G", 100_000_000),
        ("100n", 1),
    ],
)
def test_quantity_is_rounded_up_to_a_whole_number(text: str, value: int) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", "M", "1.5.5", "10KB", "1 M", "0x10", "٣", "1e", "--1", "9" * 65]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["10E", "1e999", "-9223372036854775808"])
def test_quantity_beyond_63_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        parse_quantity(text)


@given(st.integers(min_value=-(1 << 62), max_value=1 << 62))
def test_whole_numbers_are_themselves(value: int) -> None:
    assert parse_quantity(str(value)) == value


@given(st.text(max_size=70))
def test_nothing_but_value_error_is_raised(text: str) -> None:
    try:
        parse_quantity(text)
    except ValueError:
        return
