"""Texts: length, characters, totals."""

import pytest

from runtime.errors import InvalidArgument
from runtime.spec import text_limits as limits


@pytest.mark.parametrize("good", ["", "x" * 4095, "a\nb", "ä" * 2047])
def test_text_within_limits_passes(good: str) -> None:
    limits.check_text("thing", "a path", good)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("x" * 4096, "TextTooLong"),
        ("x" * 70000, "TextTooLong"),
        ("ä" * 2048, "TextTooLong"),
        ("a\0b", "BadCharacter"),
    ],
)
def test_long_text_and_nul_are_refused_without_quoting_it(bad: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason) as caught:
        limits.check_texts("thing", "a path", ["fine", bad])

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("bad", ["a\nb", "a\x7fb", "a;b"])
def test_control_characters_and_separators_are_refused(bad: str) -> None:
    limits.check_printable("thing", "name", "fine name", without=";")
    with pytest.raises(InvalidArgument, match="BadCharacter"):
        limits.check_printable("thing", "name", bad, without=";")


def test_too_many_are_refused() -> None:
    limits.check_count("thing", "mounts", 5, 5)
    with pytest.raises(InvalidArgument, match="6 mounts, more than 5"):
        limits.check_count("thing", "mounts", 6, 5)


def test_large_annotations_are_refused_with_size_and_limit() -> None:
    limits.check_total("pod a/b", "annotations", [("k" * 1024, "v" * (255 * 1024))])
    with pytest.raises(InvalidArgument, match="5242881 bytes of annotations, more than 262144"):
        limits.check_total("pod a/b", "annotations", [("k", "v" * (5 * 1024 * 1024))])


def test_quoted_values_are_short() -> None:
    assert limits.shown("a\n") == "'a\\n'"
    assert limits.shown("x" * 100) == repr("x" * 64 + "...")
