"""The OCI runtime spec as an immutable-by-convention JSON document, and the few ways to change it.

Every function answers a new document and shares the untouched parts with the old one; none changes its input. An
`Option` is such a change with its arguments already given, and `apply` is the fold that specs are made by.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeGuard

JsonValue: TypeAlias = (
    bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)
"""What JSON can say."""

Spec: TypeAlias = Mapping[str, JsonValue]
"""An OCI runtime spec (config.md), or a part of one."""

Option: TypeAlias = Callable[[Spec], Spec]
"""One change of a spec. It never changes the spec that it is given."""

Path: TypeAlias = tuple[str, ...]
"""Keys from the top of the document downwards: `("linux", "resources")`."""


def apply(spec: Spec, *options: Option) -> Spec:
    """Return the spec after all options, in order."""
    for option in options:
        spec = option(spec)
    return spec


def combined(*options: Option) -> Option:
    """Return one option that applies several in order."""
    return lambda spec: apply(spec, *options)


def unchanged(spec: Spec) -> Spec:
    """Return the spec as it is: the option for "nothing to do"."""
    return spec


def is_object(value: JsonValue) -> TypeGuard[Spec]:
    """Tell whether a value is a JSON object."""
    return isinstance(value, Mapping)


def value_at(spec: Spec, *path: str) -> JsonValue:
    """Return what is at `path`, None when there is nothing."""
    found: JsonValue = spec
    for key in path:
        if not is_object(found):
            return None
        found = found.get(key)
    return found


def object_at(spec: Spec, *path: str) -> Spec:
    """Return the object at `path`, an empty one when there is none."""
    found = value_at(spec, *path)
    return found if is_object(found) else {}


def list_at(spec: Spec, *path: str) -> tuple[JsonValue, ...]:
    """Return the list at `path`, an empty one when there is none."""
    found = value_at(spec, *path)
    if isinstance(found, Sequence) and not isinstance(found, str):
        return tuple(found)
    return ()


def objects_at(spec: Spec, *path: str) -> tuple[Spec, ...]:
    """Return the objects of the list at `path`; what is no object is left out."""
    return tuple(entry for entry in list_at(spec, *path) if is_object(entry))


def texts_at(spec: Spec, *path: str) -> tuple[str, ...]:
    """Return the strings of the list at `path`; what is no string is left out."""
    return tuple(entry for entry in list_at(spec, *path) if isinstance(entry, str))


def text_of(value: JsonValue) -> str:
    """Return a string as it is, anything else as an empty string."""
    return value if isinstance(value, str) else ""


def put(spec: Spec, path: Path, value: JsonValue) -> Spec:
    """Return the spec with `value` at `path`; objects on the way are made where they are missing."""
    key, rest = path[0], path[1:]
    return {**spec, key: put(object_at(spec, key), rest, value) if rest else value}


def without(spec: Spec, path: Path) -> Spec:
    """Return the spec without what is at `path`; nothing changes when there is nothing."""
    key, rest = path[0], path[1:]
    if key not in spec:
        return spec
    if rest:
        inner = spec[key]
        return {**spec, key: without(inner, rest)} if is_object(inner) else spec
    return {name: value for name, value in spec.items() if name != key}


def merge(spec: Spec, path: Path, values: Spec) -> Spec:
    """Return the spec with the entries of `values` set in the object at `path`; no values, no object."""
    return put(spec, path, {**object_at(spec, *path), **values}) if values else spec


def extend(spec: Spec, path: Path, values: Sequence[JsonValue]) -> Spec:
    """Return the spec with `values` appended to the list at `path`; no values, no list."""
    return put(spec, path, [*list_at(spec, *path), *values]) if values else spec


def set_value(path: Path, value: JsonValue) -> Option:
    """Return the option that puts `value` at `path`."""
    return lambda spec: put(spec, path, value)


def remove_value(path: Path) -> Option:
    """Return the option that removes what is at `path`."""
    return lambda spec: without(spec, path)


def append_values(path: Path, values: Sequence[JsonValue]) -> Option:
    """Return the option that appends to the list at `path`."""
    return lambda spec: extend(spec, path, values)
