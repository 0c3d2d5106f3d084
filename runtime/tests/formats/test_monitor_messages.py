"""Tests of what is exchanged with conmon."""

import pytest

from runtime.formats.monitor_messages import (
    LONGEST_INPUT,
    AttachStream,
    CreateAnswer,
    is_exit_file,
    parse_create_answer,
    parse_exit_code,
    parse_output,
    resize_line,
    split_input,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b'{"pid": 42}\n', CreateAnswer(pid=42)),
        (b'{"pid": -1, "message": "no"}\n', CreateAnswer(pid=0, message="no")),
        (b'{"pid": -1, "message": 3}', CreateAnswer(pid=0)),
        (b"", None),
        (b"\n", None),
    ],
)
def test_create_answer(text: bytes, answer: CreateAnswer | None) -> None:
    assert parse_create_answer(text) == answer


@pytest.mark.parametrize("text", [b"pid", b"[]", b'{"pid": "1"}', b"{}"])
def test_other_answers_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="monitor's answer"):
        parse_create_answer(text)


@pytest.mark.parametrize(
    ("text", "code"), [(b"0", 0), (b"137\n", 137), (b"-1", 255), (b"900", 255)]
)
def test_exit_code(text: bytes, code: int) -> None:
    assert parse_exit_code(text) == code


def test_exit_code_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        parse_exit_code(b"seven")


def test_half_written_exit_files_are_told_apart() -> None:
    assert is_exit_file("0a1b")
    assert not is_exit_file("0a1b.X1Y2Z3")
    assert not is_exit_file("")


def test_resize_names_height_first() -> None:
    assert resize_line(80, 24) == b"1 24 80\n"


def test_input_is_cut_into_packets_that_are_read_whole() -> None:
    parts = split_input(b"x" * (LONGEST_INPUT + 1))
    assert [len(part) for part in parts] == [LONGEST_INPUT, 1]
    assert split_input(b"") == ()


def test_output_names_its_stream() -> None:
    assert parse_output(b"\2out") == (AttachStream.STDOUT, b"out")
    assert parse_output(b"\3") == (AttachStream.STDERR, b"")


@pytest.mark.parametrize("packet", [b"", b"\7x"])
def test_other_output_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"empty|7"):
        parse_output(packet)
