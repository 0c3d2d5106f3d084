"""A whole spec as the text of config.json, and options that replace or complete it as a whole.

Reading checks that the text is a spec in outline; what the OCI runtime makes of it is the runtime's matter.
"""

import json
from collections.abc import Iterable

from runtime.errors import InvalidArgument
from runtime.spec.document import JsonValue, Option, Spec, append_values, is_object, put, set_value

_HOOKS = frozenset(
    {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
)


def spec_text(spec: Spec) -> str:
    """Return the text of config.json."""
    return json.dumps(spec, separators=(",", ":"), ensure_ascii=False)


def spec_from_text(text: str | bytes) -> Spec:
    """Return the spec that a config.json describes.

    Raises:
        InvalidArgument: the text is no JSON object, or does not say its version.
    """
    try:
        document: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("is not JSON") from error
    if not is_object(document) or not isinstance(document.get("ociVersion"), str):
        raise _bad("is no object with an ociVersion")
    return document


def with_spec_from_text(text: str | bytes) -> Option:
    """Replace the whole spec by the one that a config.json describes.

    Raises:
        InvalidArgument: as spec_from_text.
    """
    return with_spec(spec_from_text(text))


def with_spec(replacement: Spec) -> Option:
    """Replace the whole spec."""
    return lambda spec: replacement


def with_oci_version(version: str) -> Option:
    """Say which version of the OCI spec this is."""
    return set_value(("ociVersion",), version)


def with_hooks(moment: str, hooks: Iterable[Spec]) -> Option:
    """Append hooks to run at a moment of the container's life (config.md, POSIX-platform Hooks).

    Raises:
        InvalidArgument: there is no such moment.
    """
    if moment not in _HOOKS:
        raise InvalidArgument(
            f"hook {moment[:32]!r}",
            "is no moment of a container's life",
            remedy=f"use one of {', '.join(sorted(_HOOKS))}",
            reason="UnknownHook",
        )
    return append_values(("hooks", moment), list(hooks))


def with_sysctls(settings: Iterable[tuple[str, str]]) -> Option:
    """Set kernel settings in the container's new namespaces; those of pinned ones are written to the pins instead."""
    values: Spec = dict(settings)
    return lambda spec: put(spec, ("linux", "sysctl"), values)


def _bad(cause: str) -> InvalidArgument:
    remedy = "give the config.json of an OCI bundle"
    return InvalidArgument("spec", cause, remedy=remedy, reason="BadSpec")
