"""Recipes of images that are hard to show rightly, made from directories of this machine and by hand.

Gives lists of plain tars, bottom first; knows nothing of stores or registries.
"""

from __future__ import annotations

import os
import random
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from image.tests.store.member_lists import (
    MEMBERS,
    Member,
    Refused,
    add_lower,
    add_members,
    lists,
    meaning,
)
from image.tests.store.tar_making import (
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    SYMLINK,
    TarMaker,
)

REAL = Path("/usr/share/doc")
CAPABILITY = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00" * 12


def archive(*arguments: str, form: str = "pax") -> bytes:
    """Return what GNU tar makes of files."""
    command = ["tar", "-c", f"--format={form}", "--sort=name", "--numeric-owner", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def real(form: str, *options: str) -> list[bytes]:
    """Return some hundred real files in one of tar's formats."""
    names = sorted(os.listdir(REAL))[:150]
    return [archive(*options, "-C", str(REAL), *names, form=form)]


def base() -> TarMaker:
    """Begin a layer with what others change."""
    maker = TarMaker().add(".", type=DIRECTORY, mode=0o755).add("tmp", type=DIRECTORY, mode=0o1777)
    for name in ("d", "e", "o", "x"):
        maker.add(name, type=DIRECTORY, mode=0o750, owner=(3, 4))
        for number in range(40):
            maker.add(f"{name}/{number}", b"%d" % number * 300)
    return maker.add("file", b"below").add("to-d", type=SYMLINK, link="d")


def whiteouts() -> list[bytes]:
    """Delete files and directories, make some again, hide a directory's content."""
    above = TarMaker().add("d/.wh.7").add(".wh.e").add(".wh.file").add("o/.wh..wh..opq")
    above.add("o/new", b"1").add(".wh.x").add("x", type=DIRECTORY, mode=0o700).add("x/y", b"2")
    top = TarMaker().add("e/again", b"3").add("file", b"4").add("d/.wh.8").add("d/7", b"5")
    return [base().done(), above.done(), top.done()]


def changed_kinds() -> list[bytes]:
    """Put files where directories were and the other way round, and write through links."""
    above = TarMaker().add(".wh.e").add("e", b"file now").add("tmp/missing/parents/f", b"1")
    above.add("to-d", type=SYMLINK, link="x").add("link", type=SYMLINK, link="real")
    above.add("real", type=DIRECTORY).add("link/through", b"2")
    return [base().done(), above.done()]


def hard_links() -> list[bytes]:
    """Give files several names, in one layer and in two.

    No name of a file below is replaced: overlayfs would count it still, on any filesystem.
    """
    one = base().add("h1", type=HARD_LINK, link="d/1").add("e/h2", type=HARD_LINK, link="d/1")
    one.add("soft", type=SYMLINK, link="d/2").add("softer", type=HARD_LINK, link="soft")
    two = TarMaker().add("n", b"new").add("d/n2", type=HARD_LINK, link="n")
    return [one.done(), two.done()]


def attributes() -> list[bytes]:
    """Set extended attributes, file capabilities, and attributes that must be dropped."""
    maker = base().add("suid", b"x", mode=0o6755, owner=(0, 7))
    maker.add("caps", b"x", mode=0o755, pax={"SCHILY.xattr.security.capability": CAPABILITY})
    many = {f"SCHILY.xattr.user.name{n}": "v" * n for n in range(1, 40)}
    return [maker.add("many", b"x", pax=many).done()]


def sparse(form: str) -> list[bytes]:
    """Store files with holes."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, pieces, size in (
            ("holes", (0, 1 << 20, 5 << 20), 6 << 20),
            ("end", (4096,), 9000),
            ("hole-only", (), 3 << 20),
        ):
            with open(f"{folder}/{name}", "wb") as file:
                for place in pieces:
                    file.seek(place)
                    file.write(os.urandom(4096))
                file.truncate(size)
        return [archive("-S", "-C", folder, ".", form=form)]


def names() -> list[bytes]:
    """Use names that are long, not UTF-8, or sort before the dots."""
    maker = TarMaker(tarfile.GNU_FORMAT)
    deep = "/".join(["directory-with-a-long-name"] * 40)
    for name in (deep + "/f", "n" * 255, "!first", "-dash", "a b\n", "\udcff\udcfe", ".hidden"):
        maker.add(name, name.encode("utf-8", "surrogateescape"))
    return [maker.add("link", type=SYMLINK, link="t" * 3000).done()]


def owners() -> list[bytes]:
    """Use large ids, all kinds of nodes and old times."""
    maker = TarMaker().add("o", type=DIRECTORY, mode=0o2775, owner=(1 << 31, 4_294_967_294))
    maker.add("o/f", b"1", owner=(65534, 100_000), mode=0o000, mtime=-5).add("p", type=FIFO)
    maker.add("null", type=CHARACTER, device=(1, 3), mode=0o666, owner=(0, 5))
    return [maker.add("big", type=CHARACTER, device=(240, 70000)).add("e", mtime=4e9).done()]


def odd_root(mode: int) -> list[bytes]:
    """Give the root itself a mode, an owner and an attribute; a layer above says nothing of it."""
    note = {"SCHILY.xattr.user.note": "root"}
    below = TarMaker().add(".", type=DIRECTORY, mode=mode, owner=(7, 8), pax=note).add("f", b"1")
    return [below.done(), TarMaker().add("g", b"2").done()]


def stack(height: int) -> list[bytes]:
    """Stack many layers; docker allows 127."""
    layers = [base().done()]
    for number in range(height - 1):
        maker = TarMaker().add("d/shared", b"%d" % number).add(f"own/{number}", b"x")
        layers.append(maker.add(f"d/.wh.{number % 40}").done())
    return layers


def odd_attributes() -> list[bytes]:
    """Give odd owners, modes and times to directories and links, and change only them in the layer above."""
    one = base().add("deep/er", type=DIRECTORY, mode=0o1700, owner=(70000, 1), mtime=12.25)
    one.add("deep", type=DIRECTORY, mode=0o2711, owner=(1, 70000), mtime=99.5)
    one.add("deep/link", type=SYMLINK, link="/no/where", owner=(123456, 7), mtime=-1.5)
    one.add("deep/none", b"", mode=0o000, owner=(1, 1), mtime=0)
    two = TarMaker().add("deep/er", type=DIRECTORY, mode=0o755, owner=(2, 3), mtime=13)
    two.add("deep/none", b"", mode=0o4755, owner=(0, 0), mtime=5).add("x/1", b"n", mtime=7.125)
    return [one.done(), two.done()]


def short_lists() -> list[bytes]:
    """Give every list of two members, and some of more, a directory of its own above the same lower layer."""
    chance = random.Random(1)
    wanted = [list(members) for members in lists(2)]
    wanted += [chance.choices(MEMBERS, k=chance.randint(3, 6)) for _ in range(700)]
    below, above = TarMaker(), TarMaker()
    for number, members in enumerate(wanted):
        if is_for_umoci(members):
            prefix = f"{number:04}/"
            below.add(prefix, type=DIRECTORY)
            above.add(prefix, type=DIRECTORY)
            add_lower(below, prefix)
            add_members(above, members, prefix)
    return [below.done(), above.done()]


def is_for_umoci(members: Sequence[Member]) -> bool:
    """Tell whether a list makes a layer that umoci reads as Lading does.

    What is left out only a hostile layer holds, and umoci alone reads so: a device 0:0 is one to it; it makes no directory
    for a whiteout to be in, as containerd and Lading do, nor one that a link passes through on its way back up.
    """
    try:
        meaning(members)
    except Refused:
        return False
    if any(kind == CHARACTER or link == "c/../b" for _, kind, link in members):
        return False
    nested = any("/.wh." in name for name, _, _ in members)
    moves = any(name.startswith(".wh.") or name in ("a", "b") for name, _, _ in members)
    return not (nested and moves)


RECIPES: dict[str, Callable[[], list[bytes]]] = {
    "real files, pax": lambda: real("pax"),
    "real files, gnu": lambda: real("gnu"),
    "real files, ustar": lambda: real("ustar"),
    "real files with attributes": lambda: real("pax", "--xattrs"),
    "whiteouts": whiteouts,
    "changed kinds": changed_kinds,
    "hard links": hard_links,
    "attributes": attributes,
    "sparse, gnu": lambda: sparse("gnu"),
    "sparse, pax": lambda: sparse("pax"),
    "names": names,
    "owners": owners,
    "root that nobody may write": lambda: odd_root(0o555),
    "root that everybody may write": lambda: odd_root(0o1777),
    "a hundred layers": lambda: stack(100),
    "a hundred and twenty-seven layers": lambda: stack(127),
    "odd attributes": odd_attributes,
    "short lists": short_lists,
    "empty": lambda: [TarMaker().done()],
}
