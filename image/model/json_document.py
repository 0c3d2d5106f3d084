"""Hostile JSON: one strict way to read a document, and typed access to its fields.

Pure. Size and depth are bounded before the parser runs; a key given twice, a lone surrogate, NUL, NaN and bytes that
are not UTF-8 are refused, because two readers could understand them differently (RFC 8259 section 4, rule B1).
"""

import json
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from image.errors import FailedPrecondition

MAX_DEPTH = 32
"""A manifest needs 4 levels, a config about 6; far below Python's recursion limit."""

# a string, closed or not: the optional quote keeps the scan linear on hostile input
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NESTING = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_OTHER = bytes(sorted(set(range(256)) - set(b"[{]}")))


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonObject:
    """A JSON object whose fields are asked for by type; `null` counts as absent, as in Go."""

    subject: str
    """How errors name this object: `manifest of x, layer 3`."""
    fields: Mapping[str, object]

    def has(self, key: str) -> bool:
        """Tell whether `key` is there and not null."""
        return self.fields.get(key) is not None

    def text(self, key: str, *, default: str | None = None) -> str:
        """Give the string under `key`, or `default` when that is given and the key absent."""
        value = self.fields.get(key)
        if value is None and default is not None:
            return default
        return self._checked_text(key, value)

    def integer(self, key: str) -> int:
        """Give the whole number under `key`."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a whole number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Give the list of strings under `key`; absent is empty."""
        return tuple(self._checked_text(key, item) for item in self._items(key))

    def text_map(self, key: str) -> tuple[tuple[str, str], ...]:
        """Give the object of strings under `key`, in document order; absent is empty."""
        members = self._mapping(key)
        return tuple(
            (self._checked_text(key, name), self._checked_text(key, value))
            for name, value in members.items()
        )

    def keys(self, key: str) -> tuple[str, ...]:
        """Give the names in the object under `key`, whatever their values; absent is empty."""
        return tuple(self._checked_text(key, name) for name in self._mapping(key))

    def child(self, key: str) -> "JsonObject | None":
        """Give the object under `key`, or None when absent."""
        if not self.has(key):
            return None
        return JsonObject(subject=f"{self.subject}, {key}", fields=self._mapping(key))

    def children(self, key: str) -> tuple["JsonObject", ...]:
        """Give the list of objects under `key`; absent is empty."""
        found = []
        for position, item in enumerate(self._items(key)):
            if not isinstance(item, dict):
                raise self._wrong(key, "a list of objects")
            found.append(JsonObject(subject=f"{self.subject}, {key}[{position}]", fields=item))
        return tuple(found)

    def _items(self, key: str) -> list[object]:
        value = self.fields.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _mapping(self, key: str) -> dict[str, object]:
        value = self.fields.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return value

    def _checked_text(self, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        if "\x00" in value or not _is_unicode(value):
            raise self._wrong(key, "text without NUL and lone surrogates")
        return value

    def _wrong(self, key: str, wanted: str) -> FailedPrecondition:
        state = "has no" if not self.has(key) else "has an unusable"
        return FailedPrecondition(
            self.subject, f"{state} `{key}`, which must be {wanted}", reason="InvalidDocument"
        )


def parse_json_object(raw: bytes, *, subject: str, max_bytes: int) -> JsonObject:
    """Parse one JSON object of at most `max_bytes`.

    Raises:
        FailedPrecondition: too large, too deep, not strict JSON in UTF-8, or no object.
    """
    if len(raw) > max_bytes:
        raise _refused(subject, f"is larger than {max_bytes} bytes")
    if json_depth(raw) > MAX_DEPTH:
        raise _refused(subject, f"is nested deeper than {MAX_DEPTH} levels")
    try:
        value: object = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and our own refusals
        raise _refused(subject, f"is not strict JSON: {error}") from error
    if not isinstance(value, dict):
        raise _refused(subject, "is not a JSON object")
    return JsonObject(subject=subject, fields=value)


def json_depth(raw: bytes) -> int:
    """Measure the deepest nesting without parsing, in linear time and without recursion."""
    steps = _STRING.sub(b"", raw).translate(_NESTING, _OTHER)
    return max(accumulate(array("b", steps)), default=0)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key is given twice in one object")
    return fields


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _refused(subject: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(subject, cause, reason="InvalidDocument")
