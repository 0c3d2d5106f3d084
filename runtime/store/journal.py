"""The operation journal: what is about to be done, written before it is done.

One row per operation that makes or undoes things outside the database. It holds a draft of the record, which is all
that a clean-up needs, and is dropped in the transaction that publishes or forgets the object: so each row found at a
start tells of an operation that died half-way.
"""

from dataclasses import dataclass
from enum import StrEnum

from runtime.records.container import ContainerRecord
from runtime.records.json_codec import decode, encode
from runtime.records.sandbox import SandboxRecord


class IntentKind(StrEnum):
    """What was under way."""

    RUN = "run"
    """A pod is being made: clean up all of it."""
    CREATE = "create"
    """A container is being made: clean up all of it."""
    START = "start"
    """A created container is being started: ask the runtime whether it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """One row of the journal."""

    kind: IntentKind
    object_id: str
    """Id of the pod or container."""
    started_at_ns: int
    sandbox: SandboxRecord | None = None
    """Draft, for RUN."""
    container: ContainerRecord | None = None
    """Draft, for CREATE."""
    failed_steps: tuple[str, ...] = ()
    """Steps of the clean-up that failed when it was last tried, each with its error."""

    @property
    def key(self) -> str:
        """The row's key: one intent of a kind per object."""
        return f"{self.kind}/{self.object_id}"


def intent_text(intent: Intent) -> str:
    """Return the row's text."""
    return encode(intent)


def intent_from_text(text: str) -> Intent:
    """Return the intent that a row describes.

    Raises:
        Internal: the text is damaged.
    """
    return decode(Intent, text)
