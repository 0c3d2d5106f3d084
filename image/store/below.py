"""What a new layer must know of the layers below it: its questions, and answers to them.

Promise: whoever builds a layer needs no access to others. It collects its questions, somebody who may look answers them
from a `LowerView`, and the builder takes either as a `Below`. Pure.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from image.host.extraction import Attributes


class Below(Protocol):
    """The merged content of all layers below a new one."""

    def exists(self, path: bytes) -> bool:
        """Tell whether anything shows at a canonical path."""

    def directory_attributes(self, path: bytes) -> Attributes | None:
        """Return the attributes of the directory that shows at a path, None when none does."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Canonical paths that a builder will ask a `Below` for, and perhaps some more."""

    directories: tuple[bytes, ...] = ()
    """Whose attributes it takes over, if they are directories there."""
    names: tuple[bytes, ...] = ()
    """Of which it wants to know whether anything is there."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A `Below` that knows the answers to some `Questions`; what was not asked is not there."""

    directories: Mapping[bytes, Attributes] = field(default_factory=dict)
    names: AbstractSet[bytes] = frozenset()

    def exists(self, path: bytes) -> bool:
        """Tell whether anything shows at a path."""
        return path in self.names

    def directory_attributes(self, path: bytes) -> Attributes | None:
        """Return the attributes of the directory at a path."""
        return self.directories.get(path)
