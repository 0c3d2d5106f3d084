"""What the verbs work with: the node, the image store, the puller, the pins, and what start-up found out.

The daemon fills it in; tests use the node's fakes and a real store.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from image.pulls.puller import Puller
from image.store.image_store import ImageStore
from image.store.pins import Pins
from runtime.lifecycle.node import Node


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionFact:
    """A condition of the node as it is now."""

    type: str
    ready: bool
    reason: str
    message: str
    """What is wrong and what to do about it; empty when ready."""
    since_ns: int = 0
    """Since when it is so; 0 while unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """What runs."""

    daemon: str
    cri: str
    cri_api: str
    state_schema: int


@dataclass(slots=True)
class StoreFacts:
    """What is known of the image store beyond its size: the last answers, changed in place."""

    reclaimable_bytes: int = 0
    """What `image prune` would give back."""
    damaged_layers: int = 0
    """Left by the last `image fsck`; 0 before the first one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminParts:
    """Everything that the verbs need."""

    node: Node
    store: ImageStore
    puller: Puller
    pins: Pins
    conditions: Callable[[], Sequence[ConditionFact]]
    """Asked at every status; must not wait."""
    versions: Versions
    started_ns: int
    """When the daemon began to answer."""
    facts: StoreFacts = field(default_factory=StoreFacts)
