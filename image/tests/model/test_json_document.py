"""Hostile JSON is refused before it costs anything."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.errors import FailedPrecondition, ImageError
from image.model.json_document import MAX_DEPTH, JsonObject, json_depth, parse_json_object


def parse(raw: bytes) -> JsonObject:
    return parse_json_object(raw, subject="it", max_bytes=1000_000)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not strict JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a":1,"a":1}', "given twice"),
        (b'{"x":{"a":1,"\\u0061":1}}', "given twice"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b'{"a":"\xff"}', "not strict JSON"),
        (b"\xef\xbb\xbf{}", "not strict JSON"),
        (b'{"a":1}x', "not strict JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "not strict JSON"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper"),
        (b" " * 1000_001, "larger than 1000000 bytes"),
    ],
)
def test_hostile_documents_are_refused(raw: bytes, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        parse(raw)


def test_depth_counts_no_brackets_in_strings() -> None:
    assert json_depth(b"") == 0
    assert json_depth(rb'{"a":"[[[[","b\"[[":["\\"]}') == 2
    assert json_depth(b'"' + b'\\"' * 100_000 + b"[[[") == 0
    assert json_depth(b"[[]],[") == 2


def test_fields_are_given_by_type() -> None:
    document = parse(
        b'{"t":"x","i":3,"l":["a","b"],"m":{"k":"v"},"o":{"p":{}},"c":[{"a":1},{}],"n":null}'
    )
    assert document.text("t") == document.text("t", default="y") == "x"
    assert document.text("n", default="y") == "y"
    assert document.integer("i") == 3
    assert document.texts("l") == ("a", "b")
    assert document.texts("n") == ()
    assert document.text_map("m") == (("k", "v"),)
    assert document.text_map("n") == ()
    assert document.keys("o") == ("p",)
    assert document.child("n") is None
    child = document.child("o")
    assert child is not None
    assert child.subject == "it, o"
    assert [one.subject for one in document.children("c")] == ["it, c[0]", "it, c[1]"]
    assert document.has("t")
    assert not document.has("n")


def test_wrong_types_are_refused_by_name() -> None:
    document = parse(
        b'{"b":true,"l":["a",1],"m":{"k":1},"s":"x","f":1.0,"u":"\\ud800","z":"\\u0000"}'
    )
    attempts = (
        lambda: document.integer("b"),
        lambda: document.integer("f"),
        lambda: document.text("missing"),
        lambda: document.text("b"),
        lambda: document.text("u"),
        lambda: document.text("z"),
        lambda: document.texts("l"),
        lambda: document.texts("s"),
        lambda: document.text_map("m"),
        lambda: document.text_map("s"),
        lambda: document.child("s"),
        lambda: document.children("l"),
    )
    for attempt in attempts:
        with pytest.raises(FailedPrecondition, match="which must be"):
            attempt()


def test_error_tells_missing_from_wrong() -> None:
    document = parse(b'{"a":1}')
    with pytest.raises(FailedPrecondition, match="has no `b`"):
        document.text("b")
    with pytest.raises(FailedPrecondition, match="has an unusable `a`"):
        document.text("a")


def test_characters_beyond_ascii_are_text() -> None:
    assert parse('{"a":"grün 🙂"}'.encode()).text("a") == "grün 🙂"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), st.lists, max_leaves=10
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), _JSON, max_size=4))
def test_every_plain_object_is_read_as_json_says(value: dict[str, object]) -> None:
    raw = json.dumps(value).encode()
    if json_depth(raw) <= MAX_DEPTH:
        assert parse(raw).fields == value


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        parse(raw)
    except ImageError:
        return
