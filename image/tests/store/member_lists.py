"""Short lists of a layer's members over few names, and what they mean above a fixed layer: the model of all layer kinds.

The model applies members one after the other to the merged tree, as a tool does that unpacks into one directory; it knows
nothing of overlayfs, tars or indexes. `.wh.` deletes only what the layer itself did not bring (image-spec, layer.md).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from image.tests.store.tar_making import CHARACTER, DIRECTORY, HARD_LINK, SYMLINK, TarMaker

Member = tuple[str, bytes, str]
"""Name, type and link of a member."""
FILE = b"0"
MEMBERS: tuple[Member, ...] = (
    ("a", FILE, ""),
    ("a/b", FILE, ""),
    ("b/a", FILE, ""),
    ("a", DIRECTORY, ""),
    ("b/a", DIRECTORY, ""),
    ("a", SYMLINK, "b"),
    ("b", SYMLINK, "a"),
    ("a", SYMLINK, "c/../b"),
    ("c", HARD_LINK, "a"),
    ("a/b", HARD_LINK, "b/a"),
    (".wh.a", FILE, ""),
    (".wh.b", FILE, ""),
    ("a/.wh.b", FILE, ""),
    ("b/.wh.a", FILE, ""),
    ("a/.wh..wh..opq", FILE, ""),
    ("b", CHARACTER, ""),
)
BELOW = ("a/a", "a/b", "a/z", "b/a", "b/b", "b/z")
"""Files of the layer below; its directories have mode 0751."""
_MAX_HOPS = 40


class Refused(Exception):
    """A file is where a directory must be, or a link leads nowhere."""


@dataclass
class Place:
    """A file, link or directory of the merged tree."""

    kind: bytes = DIRECTORY
    content: str = ""
    """Of a file what is in it, of a link its target, of a directory its mode."""
    children: "dict[str, Place]" = field(default_factory=dict)
    own: bool = False
    """The layer brought it, or something in it."""


def lists(longest: int) -> Iterator[tuple[Member, ...]]:
    """Yield every list of up to so many members."""
    for length in range(1, longest + 1):
        yield from itertools.product(MEMBERS, repeat=length)


def add_lower(maker: TarMaker, prefix: str = "") -> TarMaker:
    """Put the layer below into a tar."""
    for name in ("a", "b"):
        maker.add(prefix + name, type=DIRECTORY, mode=0o751)
    for name in BELOW:
        maker.add(prefix + name, name.encode())
    return maker


def add_members(maker: TarMaker, members: Sequence[Member], prefix: str = "") -> TarMaker:
    """Put a list into a tar; files hold their number, directories have it in their mode."""
    for number, (name, kind, link) in enumerate(members):
        content = b"%d" % number if kind == FILE and ".wh." not in name else b""
        target = prefix + link if kind == HARD_LINK else link
        mode = 0o700 + number if kind == DIRECTORY else 0o644
        maker.add(prefix + name, content, type=kind, link=target, mode=mode)
    return maker


def meaning(members: Sequence[Member]) -> dict[str, tuple[bytes, str]]:
    """Return kind and content of every path above the lower layer.

    Raises:
        Refused: the list makes no layer.
    """
    root = Place()
    for name in ("a", "b"):
        root.children[name] = Place(content=_mode(0o751))
    for name in BELOW:
        root.children[name[0]].children[name[2]] = Place(FILE, name)
    for number, member in enumerate(members):
        _apply(root, member, number)
    return dict(_flat(root, ""))


def _mode(mode: int) -> str:
    return f"{mode:o}"


def _flat(place: Place, path: str) -> Iterator[tuple[str, tuple[bytes, str]]]:
    for name, child in place.children.items():
        yield path + name, (child.kind, child.content)
        yield from _flat(child, f"{path}{name}/")


def _apply(root: Place, member: Member, number: int) -> None:
    name, kind, link = member
    head, _, last = name.rpartition("/")
    if kind == HARD_LINK:
        source = _directory(root, link.rpartition("/")[0], make=False)
        directory = _directory(root, head)
        if directory is source and last == link.rpartition("/")[2]:
            return
        found = source.children.get(link.rpartition("/")[2])
        if found is None or not found.own or found.kind == DIRECTORY:
            raise Refused(name)
        directory.children[last] = found
        return
    directory = _directory(root, head)
    if last == ".wh..wh..opq":
        _forget_foreign(directory)
    elif last.startswith(".wh."):
        _delete(directory, last.removeprefix(".wh."))
    elif kind == CHARACTER:
        _delete(directory, last)
    elif kind != DIRECTORY:
        content = link if kind == SYMLINK else str(number)
        directory.children[last] = Place(kind, content, own=True)
    else:
        found = directory.children.get(last)
        if found is None or found.kind != DIRECTORY:
            found = directory.children[last] = Place()
        found.own, found.content = True, _mode(0o700 + number)


def _delete(directory: Place, name: str) -> None:
    found = directory.children.get(name)
    if found is not None and not found.own:
        del directory.children[name]
    elif found is not None:
        _forget_foreign(found)


def _forget_foreign(place: Place) -> None:
    for name, child in tuple(place.children.items()):
        if child.own:
            _forget_foreign(child)
        else:
            del place.children[name]


def _directory(root: Place, path: str, *, make: bool = True) -> Place:
    """Follow links that the layer made, make what is missing, and mark what is passed as the layer's own."""
    trail = [root]
    waiting = path.split("/")[::-1]
    hops = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del trail[max(1, len(trail) - 1) :]
            continue
        child = _child(trail[-1], part, make=make)
        if child.kind == DIRECTORY:
            trail.append(child)
            continue
        hops += 1
        if hops > _MAX_HOPS:
            raise Refused(path)
        waiting += child.content.split("/")[::-1]
    return trail[-1]


def _child(directory: Place, name: str, *, make: bool) -> Place:
    child = directory.children.get(name)
    if not make and (child is None or not child.own):
        raise Refused(name)
    if child is None or not (child.own or child.kind == DIRECTORY):
        child = directory.children[name] = Place(content=_mode(0o755))
    if child.kind not in (DIRECTORY, SYMLINK):
        raise Refused(name)
    child.own = True
    return child
