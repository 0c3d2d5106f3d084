"""Tests of the runtime's JSON log."""

import pytest

from runtime.formats.runtime_log import RuntimeLogRecord, first_error, parse_runtime_log

WARNING = '{"level":"warning","msg":"unknown capability"}'
ERROR = '{"level":"error","msg":" cannot mount \\n","time":"2026"}'
LATER = '{"msg":"create failed","level":"fatal"}'


def test_records_keep_order_and_skip_empty_lines() -> None:
    found = parse_runtime_log(f"{WARNING}\n\n  \n{ERROR}\n")
    assert found == (
        RuntimeLogRecord(level="warning", message="unknown capability"),
        RuntimeLogRecord(level="error", message="cannot mount"),
    )
    assert [record.is_error for record in found] == [False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        (WARNING, ""),
        (f"{WARNING}\n{ERROR}\n{LATER}", "cannot mount"),
        (f"plain\n{LATER}", "create failed"),
        ("first\nlast plain line\n", "last plain line"),
        ('["no object"]', '["no object"]'),
        ('{"msg": 7}', '{"msg": 7}'),
        ('{"msg": "no level"}', "no level"),
        ('{"msg": "odd level", "level": 3}', "odd level"),
    ],
)
def test_first_error_is_the_cause(text: str, said: str) -> None:
    assert first_error(text) == said


def test_long_messages_are_cut() -> None:
    assert len(first_error("x" * 5000)) == 1000
