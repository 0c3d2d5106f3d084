"""Documents are changed by copying: inputs stay as they were."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from runtime.spec import document
from runtime.spec.document import JsonValue, Spec

SPEC: Spec = {"a": {"b": {"c": 1}, "l": [1, "x", {"k": 2}]}, "t": "text"}

_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
_specs = st.dictionaries(st.sampled_from("abc"), _values, max_size=3)
_paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)


@given(spec=_specs, path=_paths, value=_values)
def test_put_is_read_back_and_changes_no_input(
    spec: dict[str, JsonValue], path: tuple[str, ...], value: JsonValue
) -> None:
    before = copy.deepcopy(spec)
    after = document.put(spec, path, value)
    assert document.value_at(after, *path) == value
    assert spec == before
    assert document.value_at(document.without(after, path), *path) is None
    assert document.value_at(after, *path) == value


def test_reading_answers_empty_for_what_is_not_there() -> None:
    assert document.value_at(SPEC, "t", "deeper") is None
    assert document.object_at(SPEC, "t") == {}
    assert document.list_at(SPEC, "t") == ()
    assert document.list_at(SPEC, "x") == ()
    assert document.objects_at(SPEC, "a", "l") == ({"k": 2},)
    assert document.texts_at(SPEC, "a", "l") == ("x",)
    assert document.text_of("x") == "x"
    assert document.text_of(1) == ""


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert document.without(SPEC, ("x",)) is SPEC
    assert document.without(SPEC, ("t", "deeper")) is SPEC
    assert document.without(SPEC, ("a", "b")) == {"a": {"l": [1, "x", {"k": 2}]}, "t": "text"}


def test_merging_or_extending_by_nothing_makes_no_section() -> None:
    assert document.merge({}, ("a",), {}) == {}
    assert document.extend({}, ("a",), []) == {}
    assert document.merge({"a": {"x": 1}}, ("a",), {"y": 2}) == {"a": {"x": 1, "y": 2}}
    assert document.extend({"a": [1]}, ("a",), [2]) == {"a": [1, 2]}


def test_options_are_applied_in_order() -> None:
    first = document.set_value(("v",), 1)
    second = document.set_value(("v",), 2)
    assert document.apply({}, first, second) == {"v": 2}
    assert document.combined(second, first)({}) == {"v": 1}
    assert document.unchanged(SPEC) is SPEC
    assert document.remove_value(("t",))(SPEC) == {"a": SPEC["a"]}
    assert document.append_values(("l",), [1])({}) == {"l": [1]}
