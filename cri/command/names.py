"""Names that a shell completes: images and operations, asked of the daemon while somebody waits for the Tab key.

Promise: quick and silent. A daemon that is away, slow or refuses completes nothing, and prints nothing.
"""

from collections.abc import Iterable

import click

from image.errors import ImageError

_SECONDS = 0.5
"""Longer than this nobody waits for a name."""

_SHORT = ("docker.io/library/", "docker.io/")


def image_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the tags on this node that begin so, in the form in which they were begun."""
    return sorted(_starting(_tags(context), incomplete))


def image_objects(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return objects for `why`: `image:` and a tag."""
    prefix = "image:"
    if not incomplete.startswith(prefix):
        return [prefix] if prefix.startswith(incomplete) else []
    found = _starting(_tags(context), incomplete.removeprefix(prefix))
    return sorted(prefix + name for name in found)


def operation_ids(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of what runs now."""
    return [one for one in _asked(context, "operations", "id") if one.startswith(incomplete)]


def _tags(context: click.Context) -> list[str]:
    return _asked(context, "image/ls", "tags")


def _asked(context: click.Context, verb: str, key: str) -> list[str]:
    from cri.command.daemon_client import CommandError, Daemon  # http.client costs 15 ms

    try:
        answer = Daemon(context.params.get("admin") or "").ask(verb, seconds=_SECONDS)
        rows = answer.children(verb.replace("image/ls", "images"))
        return [text for row in rows for text in _texts(row.fields.get(key))]
    except (CommandError, ImageError):
        return []


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _starting(names: Iterable[str], incomplete: str) -> set[str]:
    """Return names that begin so; those of Docker Hub also in the short form that people type."""
    forms = {form for name in names for form in _forms(name)}
    whole = {name for name in names if name.startswith(incomplete)}
    return whole or {form for form in forms if form.startswith(incomplete)}


def _forms(name: str) -> list[str]:
    return [name, *(name.removeprefix(short) for short in _SHORT if name.startswith(short))]
