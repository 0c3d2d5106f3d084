"""Where two records of one kind differ, by field name alone.

For messages such as "exists and differs in: resources.cpu_shares". Values are never told: they may hold what a pod's
author keeps in environment variables.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass


def differing_fields(a: object, b: object) -> tuple[str, ...]:
    """Return the dotted names of the fields in which two dataclass instances of one class differ, in field order.

    Nested dataclasses are entered; a tuple counts as one value.

    Raises:
        TypeError: the two are no dataclass instances of one class; a fault of the caller.
    """
    if type(a) is not type(b) or not is_dataclass(a):
        raise TypeError(f"cannot compare {type(a).__name__} with {type(b).__name__}")
    return tuple(_walk(a, b, ""))


def _walk(a: object, b: object, prefix: str) -> Iterator[str]:
    assert is_dataclass(a)
    for field in fields(a):
        left: object = getattr(a, field.name)
        right: object = getattr(b, field.name)
        if left == right:
            continue
        if type(left) is type(right) and is_dataclass(left):
            yield from _walk(left, right, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"
