"""Keeps the message of each record, so that a list of unchanged records translates nothing.

Records are immutable and replaced as a whole, so a message is good as long as the very same record object is given.
Holds at most what the last whole list held, and a few more; never looks at what is inside a record.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

_SLACK = 64


class Identified(Protocol):
    """A record with an id of its own."""

    @property
    def id(self) -> str:
        """The id."""


R = TypeVar("R", bound=Identified)
M = TypeVar("M")


class MessageCache(Generic[R, M]):
    """Messages by record, made by `translate` when a record is new."""

    def __init__(self, translate: Callable[[R], M]) -> None:
        self._translate = translate
        self._entries: dict[str, tuple[R, M]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def messages(self, records: Sequence[R]) -> list[M]:
        """Return the message of each record, in order. Callers copy them into a response and never change them."""
        if len(self._entries) > 2 * len(records) + _SLACK:
            self._forget_others(records)
        return [self.message(record) for record in records]

    def message(self, record: R) -> M:
        """Return the message of one record."""
        entry = self._entries.get(record.id)
        if entry is not None and entry[0] is record:
            return entry[1]
        message = self._translate(record)
        self._entries[record.id] = (record, message)
        return message

    def _forget_others(self, records: Sequence[R]) -> None:
        kept = {record.id for record in records}
        self._entries = {id: entry for id, entry in self._entries.items() if id in kept}
