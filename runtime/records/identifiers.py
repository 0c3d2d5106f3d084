"""Names of pods and containers: new ids, id prefixes, and the keys that make requests repeatable.

Ids are 64 lower-case hex digits. Whoever asks may shorten one to a prefix that fits exactly one object; a prefix
that fits several is refused, never guessed. Randomness comes in as bytes: nothing here draws any.
"""

from collections.abc import Iterable

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerMetadata
from runtime.records.sandbox import SandboxMetadata

ID_BYTES = 32
"""256 bits, so that 64 hex digits result, as containerd and CRI-O have it."""

_SHOWN_MATCHES = 3


def new_id(random_bytes: bytes) -> str:
    """Return the id that `ID_BYTES` random bytes spell.

    Raises:
        ValueError: there are more or fewer bytes; a fault of the caller.
    """
    if len(random_bytes) != ID_BYTES:
        raise ValueError(f"an id takes {ID_BYTES} random bytes, got {len(random_bytes)}")
    return random_bytes.hex()


def resolve_prefix(prefix: str, ids: Iterable[str]) -> str | None:
    """Return the one id that starts with `prefix`, or None when none does. A whole id always wins.

    Raises:
        InvalidArgument: the prefix is empty, or several ids start with it.
    """
    if not prefix:
        raise InvalidArgument(
            "id", "is empty", remedy="give an id or a unique prefix", reason="EmptyId"
        )
    found: list[str] = []
    for candidate in ids:
        if candidate == prefix:
            return candidate
        if candidate.startswith(prefix):
            found.append(candidate)
    if len(found) > 1:
        raise InvalidArgument(
            f"id {prefix[:64]}",
            f"is the start of {len(found)} ids",
            remedy="give more of its digits",
            reason="AmbiguousId",
            details=tuple(sorted(found)[:_SHOWN_MATCHES]),
        )
    return found[0] if found else None


def sandbox_key(metadata: SandboxMetadata) -> str:
    """Return the text that two requests for the same pod attempt share: `namespace/name/uid/attempt`."""
    parts = (metadata.namespace, metadata.name, metadata.uid, str(metadata.attempt))
    return "/".join(_escape(part) for part in parts)


def container_key(sandbox_id: str, metadata: ContainerMetadata) -> str:
    """Return the text that two requests for the same container attempt share: `sandbox/name/attempt`."""
    return "/".join((_escape(sandbox_id), _escape(metadata.name), str(metadata.attempt)))


def _escape(part: str) -> str:
    # Joining must stay reversible, or pod "a/b" in "c" could take the place of pod "b/c"... in "a".
    return part.replace("%", "%25").replace("/", "%2F")
