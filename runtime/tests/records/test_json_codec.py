"""Records survive JSON; what does not fit is refused by its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Internal
from runtime.records.container import (
    ContainerConfig,
    ContainerMetadata,
    ContainerRecord,
    ContainerState,
    Mount,
)
from runtime.records.json_codec import decode, encode
from runtime.records.resources import CgroupUsage
from runtime.records.sandbox import SandboxRecord

Name = NewType("Name", str)


class Level(IntEnum):
    """An enum whose values are numbers."""

    LOW = 1
    HIGH = 2


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A nested record."""

    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Everything:
    """One field of each kind."""

    name: Name
    level: Level = Level.LOW
    ratio: float = 0.5
    flag: bool = False
    nothing: None = None
    maybe: Inner | None = None
    words: tuple[str, ...] = ()
    inners: tuple[Inner, ...] = ()
    pair: tuple[str, Inner] = ("", Inner())
    sizes: Mapping[str, Inner] = field(default_factory=dict)


FULL = Everything(
    name=Name("n\n\u2028"),
    level=Level.HIGH,
    ratio=1.5,
    flag=True,
    maybe=Inner(size=1),
    words=("a", ""),
    inners=(Inner(size=2), Inner()),
    pair=("x", Inner(size=3)),
    sizes={"k": Inner(size=4)},
)
CONTAINER = ContainerRecord(
    id="a" * 64,
    sandbox_id="b" * 64,
    config=ContainerConfig(
        metadata=ContainerMetadata(name="c"),
        image="i",
        envs=(("A", "1"), ("B", "")),
        mounts=(Mount(container_path="/m", host_path="/h"),),
    ),
    image_id="sha256:x",
    state=ContainerState.RUNNING,
    created_at_ns=2**62,
)


@pytest.mark.parametrize("record", [FULL, Everything(name=Name("")), CONTAINER])
def test_record_is_read_back_equal(record: Everything | ContainerRecord) -> None:
    text = encode(record)
    assert decode(type(record), text) == record
    assert decode(type(record), text.encode()) == record
    assert "\n" not in text


@given(st.builds(SandboxRecord) | st.builds(ContainerRecord) | st.builds(CgroupUsage))
def test_any_record_is_read_back_equal(
    record: SandboxRecord | ContainerRecord | CgroupUsage,
) -> None:
    assert decode(type(record), encode(record)) == record


def test_every_field_is_written_with_defaults_too() -> None:
    written = json.loads(encode(Everything(name=Name("n"))))
    assert set(written) == {each.name for each in fields(Everything)}


def test_unknown_keys_are_ignored_and_missing_ones_have_their_defaults() -> None:
    text = '{"name": "n", "of_the_future": [1], "flag": true}'
    assert decode(Everything, text) == Everything(name=Name("n"), flag=True)


def test_whole_number_is_a_float_where_one_is_wanted() -> None:
    assert decode(Everything, '{"name": "n", "ratio": 2}').ratio == 2.0


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"name": 5}, "name is not text"),
        ({"flag": 1}, "flag is not true or false"),
        ({"ratio": "x"}, "ratio is not a number"),
        ({"nothing": 1}, "nothing is not null"),
        ({"level": 3}, "level is none of 1, 2"),
        ({"level": []}, "level is none of 1, 2"),
        ({"maybe": 1}, "maybe is not an object"),
        ({"maybe": {"size": True}}, "maybe.size is not a whole number"),
        ({"words": "ab"}, "words is not a list"),
        ({"words": ["a", None]}, "words[1] is not text"),
        ({"inners": [{}, {"size": "x"}]}, "inners[1].size is not a whole number"),
        ({"pair": ["a"]}, "pair does not have 2 entries"),
        ({"pair": {}}, "pair is not a list"),
        ({"sizes": []}, "sizes is not an object"),
        ({"sizes": {"k": 1}}, "sizes.k is not an object"),
    ],
)
def test_misfit_is_told_by_place_and_never_by_value(changes: dict[str, object], cause: str) -> None:
    text = json.dumps({"name": "n", "future": 1, **changes})
    with pytest.raises(Internal) as caught:
        decode(Everything, text)
    assert caught.value.cause == cause
    assert caught.value.subject == "stored Everything"


def test_missing_required_field_is_told() -> None:
    with pytest.raises(Internal, match="the document lacks name"):
        decode(Everything, "{}")


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100000])
def test_text_that_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(Internal, match="is not JSON"):
        decode(Everything, text)


@dataclass(frozen=True)
class Unknown:
    """A field of a kind that is not understood."""

    value: bytes = b""


@dataclass(frozen=True)
class Either:
    """A union that is no Optional."""

    value: int | str = 0


@pytest.mark.parametrize("kind", [Unknown, Either])
def test_field_of_another_kind_is_a_fault_of_the_caller(kind: type) -> None:
    with pytest.raises(TypeError, match="json_codec does not know"):
        encode(kind())
    with pytest.raises(TypeError, match="json_codec does not know"):
        decode(kind, "{}")


def test_change_of_a_field_changes_the_text() -> None:
    assert encode(replace(CONTAINER, exit_code=1)) != encode(CONTAINER)
