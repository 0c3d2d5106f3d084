"""Answers to range requests are told apart."""

import pytest

from image.protocol.content_range import (
    RangeAnswer,
    judge_range_answer,
    parse_content_range,
    range_header,
)


def test_rest_of_a_blob_is_asked_for_from_a_byte() -> None:
    assert range_header(7) == "bytes=7-"


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("Bytes  0-0/*", (0, 0, None)),
        ("bytes 5-4/10", None),
        ("bytes 5-10/10", None),
        ("bytes */10", None),
        ("items 5-9/10", None),
        ("bytes 5-9", None),
        ("", None),
        ("bytes 99999999999999999999-9/10", None),
    ],
)
def test_content_range_is_read(value: str, parsed: tuple[int, int, int | None] | None) -> None:
    assert parse_content_range(value) == parsed


@pytest.mark.parametrize(
    ("status", "value", "answer"),
    [
        (200, "", RangeAnswer.WHOLE),
        (206, "bytes 5-9/10", RangeAnswer.REST),
        (206, "bytes 5-7/*", RangeAnswer.REST),
        (206, "bytes 4-9/10", RangeAnswer.UNUSABLE),
        (206, "bytes 5-9/11", RangeAnswer.UNUSABLE),
        (206, "", RangeAnswer.UNUSABLE),
        (416, "bytes */10", RangeAnswer.UNUSABLE),
    ],
)
def test_only_the_right_part_is_appended(status: int, value: str, answer: RangeAnswer) -> None:
    assert judge_range_answer(status, value, offset=5, size=10) is answer
