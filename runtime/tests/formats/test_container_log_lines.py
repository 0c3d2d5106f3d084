"""Tests of CRI log lines."""

import pytest

from runtime.formats.container_log_lines import ContainerLogLine, join_partial, parse_log_line

SECOND = 1_000_000_000


def line(content: bytes, *, partial: bool, stream: str = "stdout", at: int = 1) -> ContainerLogLine:
    return ContainerLogLine(timestamp_ns=at, stream=stream, partial=partial, content=content)


@pytest.mark.parametrize(
    ("text", "timestamp_ns", "stream", "partial", "content"),
    [
        (
            b"1970-01-01T00:00:01.000000002+00:00 stdout F hello world\n",
            SECOND + 2,
            "stdout",
            False,
            b"hello world",
        ),
        (
            b"1970-01-01T01:00:01.5+01:00 stderr P part",
            SECOND + SECOND // 2,
            "stderr",
            True,
            b"part",
        ),
        (b"1970-01-01T00:00:01Z stdout F:more ", SECOND, "stdout", False, b""),
        (b"1970-01-01T00:00:01Z stdout F", SECOND, "stdout", False, b""),
    ],
)
def test_lines(text: bytes, timestamp_ns: int, stream: str, partial: bool, content: bytes) -> None:
    assert parse_log_line(text) == ContainerLogLine(
        timestamp_ns=timestamp_ns, stream=stream, partial=partial, content=content
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"1970-01-01T00:00:01Z stdin F x",
        b"1970-01-01T00:00:01Z stdout Q x",
        b"yesterday stdout F x",
    ],
)
def test_other_lines_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="container log"):
        parse_log_line(text)


def test_parts_are_joined_per_stream() -> None:
    lines = (
        line(b"a", partial=True, at=1),
        line(b"err", partial=False, stream="stderr", at=2),
        line(b"b", partial=False, at=3),
        line(b"cut", partial=True, at=4),
    )
    assert join_partial(lines) == (
        line(b"err", partial=False, stream="stderr", at=2),
        line(b"ab", partial=False, at=1),
        line(b"cut", partial=True, at=4),
    )
