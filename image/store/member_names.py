"""Names of a tar's members, made into paths that can lead nowhere but into the layer.

Pure. Promise: what is returned is relative, has no `..`, and is no longer than a path may be. Nothing is looked up.
"""

import re

from image.store.tar_headers import TarError

_PATH_MAX = 4095
_has_dots = re.compile(rb"/\.\.?(?:/|\Z)").search


def clean(name: bytes) -> bytes:
    """Make a member's name relative and free of `.`, `..` and doubled slashes; `..` stops at the root.

    Raises:
        TarError: the name is longer than a path may be, or holds a NUL.
    """
    if len(name) > _PATH_MAX or b"\0" in name:
        raise TarError("name is not a possible path")
    name = name.removeprefix(b"./").removesuffix(b"/")
    if (
        name[:1] not in b"/."
        and name[-1:] != b"/"
        and b"//" not in name
        and (b"/." not in name or _has_dots(name) is None)
    ):
        return name
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def named(path: bytes) -> bytes:
    """Return a path that is not the root's.

    Raises:
        TarError: it is the root's, which only a directory can have.
    """
    if not path:
        raise TarError("the root must be a directory")
    return path


def link_target(text: bytes) -> bytes:
    """Return the text of a symbolic link if it can be one.

    Raises:
        TarError: it is empty, too long, or holds a NUL.
    """
    if not 0 < len(text) <= _PATH_MAX or b"\0" in text:
        raise TarError("link target is not a possible path")
    return text


def shown(name: bytes) -> str:
    """Return a name in a form that is safe in messages."""
    return ascii(name[:200].decode("utf-8", "surrogateescape"))[1:-1]
