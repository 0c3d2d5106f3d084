"""Lines of the log carry what the call is about, in text and in JSON."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from cri import call_context, daemon_log
from cri.config import LogSettings


@pytest.fixture(autouse=True)
def own_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(format: str, level: str = "info") -> str:
    stream = io.StringIO()
    daemon_log.set_up(LogSettings(level=level, format=format), stream)
    token = call_context.bind(pod="abc")
    logging.getLogger("cri.x").debug("hidden")
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("cri.x").exception("bad %s", "thing")
    call_context.unbind(token)
    return stream.getvalue()


def test_text_lines_have_fields_and_an_indented_traceback() -> None:
    first, *rest = logged("text").splitlines()
    assert first.endswith("Z error cri.x: bad thing {pod=abc}")
    assert rest[0] == "  Traceback (most recent call last):"
    assert rest[-1] == "  ValueError: inner"


def test_json_lines_are_one_object_each() -> None:
    lines = logged("json").splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert (line["level"], line["message"], line["pod"]) == ("error", "bad thing", "abc")
    assert "ValueError: inner" in line["traceback"]


def test_debug_shows_everything() -> None:
    assert "hidden" in logged("text", "debug")
