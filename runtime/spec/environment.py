"""The environment of a container's first process.

Later wins, in CRI-O's order: default PATH, TERM for a terminal, HOSTNAME, the handler's, the image's, the request's; a
variable keeps the place at which it first appeared. TERM comes with a terminal alone (containerd): programs take it as a
promise of colours. HOME is filled in from the image's passwd when nobody set it, so that the OCI runtime need not look into
the image. Image entries that are no NAME=value are dropped: the runtime would take the host's value (security rule D7).
"""

from collections.abc import Iterable, Sequence

from runtime.spec.document import Option, Spec, put, texts_at
from runtime.spec.platform_defaults import DEFAULT_PATH
from runtime.spec.request import SpecRequest

_PATH = ("process", "env")


def merge_environment(defaults: Sequence[str], overrides: Iterable[str]) -> tuple[str, ...]:
    """Return `defaults` with `overrides` applied; neither is changed.

    `NAME=value` replaces in place or is appended, `NAME` alone unsets and is not added, an empty value is kept, and a
    default without `=` survives.
    """
    merged: list[str | None] = list(defaults)
    places: dict[str, list[int]] = {}
    for place, entry in enumerate(defaults):
        places.setdefault(_name(entry), []).append(place)
    for entry in overrides:
        taken = places.pop(_name(entry), [])
        for place in taken:
            merged[place] = None
        if "=" in entry:
            place = taken[0] if taken else len(merged)
            merged[place : place + 1] = [entry]
            places[_name(entry)] = [place]
    return tuple(entry for entry in merged if entry is not None)


def usable_entries(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the entries that are NAME=value with a name."""
    return tuple(entry for entry in entries if entry.find("=") > 0)


def container_environment(request: SpecRequest) -> tuple[str, ...]:
    """Return the whole environment of a container."""
    container = request.container
    own = [f"PATH={DEFAULT_PATH}"]
    if container.tty:
        own.append("TERM=xterm")
    if request.hostname:
        own.append(f"HOSTNAME={request.hostname}")
    merged = merge_environment(own, _pairs(request.handler.default_env))
    merged = merge_environment(merged, usable_entries(request.image.env))
    merged = merge_environment(merged, _pairs(container.envs))
    if request.user.home and not any(entry.startswith("HOME=") for entry in merged):
        return (*merged, f"HOME={request.user.home}")
    return merged


def environment_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's environment."""
    return (with_exact_environment(container_environment(request)),)


def with_exact_environment(entries: Iterable[str]) -> Option:
    """Set the environment to exactly these entries."""
    exact = list(entries)
    return lambda spec: put(spec, _PATH, exact)


def with_environment(overrides: Iterable[str]) -> Option:
    """Apply overrides to the environment that is set."""
    wanted = tuple(overrides)

    def option(spec: Spec) -> Spec:
        return put(spec, _PATH, list(merge_environment(texts_at(spec, *_PATH), wanted)))

    return option


def with_default_path() -> Option:
    """Set the default PATH of Unix."""
    return with_environment((f"PATH={DEFAULT_PATH}",))


def _pairs(values: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in values)


def _name(entry: str) -> str:
    return entry.split("=", 1)[0]
