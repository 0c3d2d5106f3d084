"""Sizes of terminals, as clients write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.streaming.wire.link_events import LinkError
from cri.streaming.wire.terminal_sizes import TEXT_LIMIT, SizeReader, TerminalSize

TEXT = b'{"Width":101,"Height":33}\n{"width": 80, "HEIGHT": 24}{"Width":0,"Height":5}\n'
SIZES = [TerminalSize(101, 33), TerminalSize(80, 24)]


@given(st.integers(1, len(TEXT)))
def test_any_split_gives_the_same_sizes(step: int) -> None:
    reader = SizeReader()
    found = [size for at in range(0, len(TEXT), step) for size in reader.feed(TEXT[at : at + step])]
    assert found == SIZES


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"Width":true,"Height":1}',
        b'{"Width":"1","Height":1}',
        b'{"Width":65536,"Height":1}',
        b'{"Width":5,"Height":-1}',
    ],
)
def test_impossible_sizes_are_skipped(text: bytes) -> None:
    assert SizeReader().feed(text + TEXT) == SIZES


@pytest.mark.parametrize("text", [b"no json}", b"[1}", b"[" * 3000 + b"}"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(LinkError, match="JSON"):
        SizeReader().feed(text)


def test_an_endless_size_is_refused() -> None:
    with pytest.raises(LinkError, match="too long"):
        SizeReader().feed(b'{"' + b"x" * TEXT_LIMIT)
