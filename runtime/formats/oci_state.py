"""What an OCI runtime says of its containers: answers of `state` and `list --format json`, and of `features`.

Pure. Unknown fields are ignored, as the runtime specification demands of readers; a missing id or status is an error.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

STATUSES = frozenset({"creating", "created", "running", "stopped", "paused"})
"""Of the OCI runtime specification, and `paused` of runc and crun."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OciState:
    """One container as its runtime sees it."""

    id: str
    status: str
    pid: int
    """0 when it has no process."""
    bundle: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OciFeatures:
    """The parts of `RUNTIME features` that the CRI asks for."""

    recursive_read_only_mounts: bool
    id_mapped_mounts: bool
    user_namespaces: bool


def parse_state(text: bytes) -> OciState:
    """Return the answer of `state ID`.

    Raises:
        ValueError: the text is no such answer.
    """
    return _state(_load(text))


def parse_list(text: bytes) -> tuple[OciState, ...]:
    """Return the answer of `list --format json`; both runtimes write `null` for none.

    Raises:
        ValueError: the text is no such answer.
    """
    document = _load(text) if text.strip() else None
    if document is None:
        return ()
    if not isinstance(document, list):
        raise ValueError(f"the runtime's list is no list: {text[:200]!r}")
    return tuple(_state(entry) for entry in document)


def parse_features(text: bytes) -> OciFeatures:
    """Return the answer of `features` (runtime-spec/features.md).

    Raises:
        ValueError: the text is no such answer.
    """
    document = _load(text)
    if not isinstance(document, dict):
        raise ValueError(f"the runtime's features are no object: {text[:200]!r}")
    linux = _object(document, "linux")
    namespaces = linux.get("namespaces")
    options = document.get("mountOptions")
    idmap = _object(_object(linux, "mountExtensions"), "idmap")
    return OciFeatures(
        recursive_read_only_mounts=isinstance(options, list) and "rro" in options,
        id_mapped_mounts=idmap.get("enabled") is True,
        user_namespaces=isinstance(namespaces, list) and "user" in namespaces,
    )


def parse_version(text: str) -> tuple[str, tuple[int, ...]]:
    """Return `NAME VERSION` of the first line of `--version` and its numbers, (0,) when there are none."""
    line = text.strip().splitlines()[0].strip() if text.strip() else ""
    words = line.replace(" version ", " ", 1)
    found = re.search(r"\d+(?:\.\d+)*", words)
    return words, tuple(int(part) for part in found[0].split(".")) if found else (0,)


def _load(text: bytes) -> object:
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the runtime's answer is no JSON: {text[:200]!r}") from error
    return document


def _object(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _state(document: object) -> OciState:
    if not isinstance(document, dict):
        raise ValueError(f"a container's state is no object: {str(document)[:200]}")
    id, status = document.get("id"), document.get("status")
    pid, bundle = document.get("pid"), document.get("bundle")
    if not isinstance(id, str) or not id or status not in STATUSES:
        raise ValueError(f"a container's state lacks id or status: {str(document)[:200]}")
    return OciState(
        id=id,
        status=str(status),
        pid=pid if isinstance(pid, int) and pid > 0 else 0,
        bundle=bundle if isinstance(bundle, str) else "",
    )
