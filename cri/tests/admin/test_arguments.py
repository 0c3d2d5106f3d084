"""Arguments are taken by name and type, and nothing is guessed."""

from collections.abc import AsyncIterator

import pytest

from cri.admin.arguments import MAX_BODY_BYTES, Arguments, read_object
from runtime.errors import InvalidArgument


def test_values_are_taken_by_type() -> None:
    given = Arguments(
        {"a": "x", "b": ["y"], "c": True, "d": 3, "e": {"k": "v"}, "f": "true", "g": "-7"}
    )
    assert (given.text("a"), given.texts("b"), given.flag("c")) == ("x", ("y",), True)
    assert (given.number("d", 0), given.texts_by_name("e")) == (3, {"k": "v"})
    assert (given.flag("f"), given.number("g", 0)) == (True, -7)
    assert (given.text("z", "default"), given.texts("z"), given.flag("z")) == ("default", (), False)
    given.finish()


@pytest.mark.parametrize(
    "take",
    [
        lambda given: given.text("missing"),
        lambda given: given.text("number"),
        lambda given: given.texts("number"),
        lambda given: given.flag("number"),
        lambda given: given.flag("word"),
        lambda given: given.number("word", 0),
        lambda given: given.number("truth", 0),
        lambda given: given.texts_by_name("word"),
        lambda given: given.finish(),
    ],
)
def test_what_does_not_fit_is_refused_by_name(take: object) -> None:
    assert callable(take)
    with pytest.raises(InvalidArgument, match=r"argument (missing|number|word|truth)"):
        take(Arguments({"number": 1, "word": "maybe", "truth": True}))


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_body_is_one_object() -> None:
    assert await read_object(pieces(b'{"a"', b": 1}")) == {"a": 1}
    assert await read_object(pieces(b" ")) == {}
    with pytest.raises(InvalidArgument, match="strict JSON"):
        await read_object(pieces(b"{"))
    with pytest.raises(InvalidArgument, match="larger"):
        await read_object(pieces(b" " * MAX_BODY_BYTES, b" "))
