"""Error bodies become one safe line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.protocol.error_body import MAX_ERROR_BODY, describe_errors, parse_error_body


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"<html>", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b"\xff\xfe", ""),
        (b"[" * 50_000, ""),
        (b'{"errors":[]}', ""),
        (b'{"errors":["x",{"code":1,"message":2}]}', ""),
        (b'{"errors":[{"code":"denied","message":"no"}]}', "DENIED: no"),
        (b'{"errors":[{"code":"A"},{"message":"b"}]}', "A; b"),
        (b'{"details":"incorrect username"}', "incorrect username"),
        (b'{"error":"invalid_grant","error_description":"old"}', "INVALID_GRANT: old"),
    ],
)
def test_body_becomes_one_line(body: bytes, text: str) -> None:
    assert describe_errors(parse_error_body(body)) == text


def test_text_is_bounded_and_redacted() -> None:
    message = "\n".join(["go to https://u:S3CR3T@a.test/x?t=S3CR3T", "y" * 1000])
    body = json.dumps({"errors": [{"code": "c" * 100, "message": message}] * 9}).encode()
    entries = parse_error_body(body)
    assert len(entries) == 5
    text = describe_errors(entries)
    assert "S3CR3T" not in text
    assert "\n" not in text
    assert len(text) < 2500


def test_only_the_first_part_of_a_body_is_read() -> None:
    assert parse_error_body(b'{"errors":[]' + b" " * MAX_ERROR_BODY + b"}") == ()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_any_body_is_survived(body: bytes) -> None:
    parse_error_body(body)
