"""Every short list of members means the same as an index, as an extracted directory, and to the model of both."""

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.host.extraction import is_whiteout
from image.store import layer_tree
from image.store.erofs.chunk_map import Unsupported
from image.store.erofs.layer_nodes import Directory, Link, Node, Regular, Special
from image.store.erofs.tar_index import TarIndex
from image.store.indexed_layer import adjust_to_lowers, questions_of
from image.store.layer_tree import LayerTree
from image.store.tar_headers import TarError
from image.store.tar_stream import TarStream
from image.store.unpack_tar import UnpackLimits
from image.tests.mutations import damaged
from image.tests.store.image_making import asked, build
from image.tests.store.member_lists import (
    FILE,
    MEMBERS,
    Member,
    Refused,
    add_lower,
    add_members,
    lists,
    meaning,
)
from image.tests.store.tar_making import CHARACTER, DIRECTORY, FIFO, SYMLINK, Chunks, TarMaker

Shown = dict[str, tuple[bytes, str]]
LIMITS = UnpackLimits()


class Stack:
    """A lower layer, and lists of members above it in each kind of layer."""

    def __init__(self, directory: Path) -> None:
        self.lower = directory / "lower"
        build(self.lower, add_lower(TarMaker()).done(), [])
        (self.lower / "layer.json").write_text(json.dumps({"opaque": []}))
        self._below = _on_disk(self.lower / "root", frozenset())
        self._directory = directory
        self._number = 0

    def indexed(self, tar: bytes) -> Shown | None:
        """Return what shows with an indexed layer on top; None when it is refused."""
        index = TarIndex(LIMITS)
        try:
            index.run(TarStream(Chunks(tar)))
        except TarError:
            return None
        adjust_to_lowers(index.nodes, asked(questions_of(index.nodes), [self.lower]))
        return _merged(self._below, _of_nodes(index.nodes.root, tar), "")

    def extracted(self, tar: bytes) -> Shown | None:
        """Return what shows with an extracted layer on top; None when it is refused."""
        self._number += 1
        staged = self._directory / str(self._number)
        tree = LayerTree(staged, LIMITS)
        try:
            tree.fill(Chunks(tar))
            summary = tree.settle(asked(tree.questions(), [self.lower]))
        except TarError:
            return None
        finally:
            tree.close()
        opaque = frozenset(summary.opaque)
        return _merged(self._below, _on_disk(staged / "root", opaque), "")


class Seen(dict[str, "Seen"]):
    """A place of one layer."""

    kind = DIRECTORY
    content = ""
    whiteout = opaque = False


def _of_nodes(node: Node, tar: bytes) -> Seen:
    seen = Seen()
    match node:
        case Directory():
            seen.content, seen.opaque = f"{stat.S_IMODE(node.mode):o}", node.opaque
            for name, child in node.children.items():
                seen[os.fsdecode(name)] = _of_nodes(child, tar)
        case Regular():
            content = tar[node.offset : node.offset + node.size]
            seen.kind, seen.content = FILE, content.decode("latin-1")
        case Link():
            seen.kind, seen.content = SYMLINK, os.fsdecode(node.target)
        case Special():
            seen.kind, seen.whiteout = CHARACTER, node.is_whiteout
    return seen


def _on_disk(path: Path, opaque: frozenset[str], name: str = "") -> Seen:
    seen, found = Seen(), path.lstat()
    if stat.S_ISDIR(found.st_mode):
        seen.content, seen.opaque = f"{stat.S_IMODE(found.st_mode):o}", name in opaque
        for child in path.iterdir():
            seen[child.name] = _on_disk(child, opaque, f"{name}/{child.name}".strip("/"))
    elif stat.S_ISLNK(found.st_mode):
        seen.kind, seen.content = SYMLINK, os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        seen.kind, seen.content = FILE, path.read_bytes().decode("latin-1")
    else:
        seen.kind, seen.whiteout = CHARACTER, is_whiteout(found)
    return seen


def _merged(below: Seen | None, above: Seen, path: str) -> Shown:
    """Show two layers as overlayfs does; a whiteout of nothing would be listed as a broken file."""
    shown: Shown = {}
    hidden = above.opaque or below is None or below.kind != DIRECTORY
    lower = Seen() if hidden or below is None else below
    for name, child in above.items():
        if child.whiteout:
            assert name in lower, f"{path}{name} deletes nothing"
            continue
        shown[path + name] = (child.kind, child.content)
        if child.kind == DIRECTORY:
            shown |= _merged(lower.get(name), child, f"{path}{name}/")
    for name, child in lower.items():
        if name not in above:
            shown[path + name] = (child.kind, child.content)
            shown |= _merged(None, child, f"{path}{name}/")
    return shown


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    patch = pytest.MonkeyPatch()
    patch.setattr(
        layer_tree, "sync_filesystem", lambda fd: None
    )  # thousands of layers, no power cut
    umask = os.umask(0)
    yield Stack(tmp_path_factory.mktemp("stack"))
    os.umask(umask)
    patch.undo()


def _check(stack: Stack, members: Sequence[Member]) -> None:
    tar = add_members(TarMaker(), members).done()
    try:
        wanted: Shown | None = meaning(members)
    except Refused:
        wanted = None
    assert stack.indexed(tar) == wanted, members
    assert stack.extracted(tar) == wanted, members


@pytest.mark.parametrize("first", MEMBERS, ids=lambda one: f"{one[0]},{one[1].decode()},{one[2]}")
def test_every_short_list_means_the_same_in_each_kind(stack: Stack, first: Member) -> None:
    _check(stack, [first])
    for rest in lists(2):
        _check(stack, [first, *rest])


def test_directory_behind_a_link_that_the_layer_deletes_is_made_anew(stack: Stack) -> None:
    members = (("b", SYMLINK, "a"), (".wh.a", FILE, ""), ("b/a", FILE, ""))
    _check(stack, members)
    shown = stack.extracted(add_members(TarMaker(), members).done())
    assert shown == {
        "a": (DIRECTORY, "755"),
        "a/a": (FILE, "2"),
        "b": (SYMLINK, "a"),
    }


@settings(max_examples=200)
@given(st.lists(st.sampled_from(MEMBERS), min_size=4, max_size=9))
def test_longer_lists_mean_the_same_in_each_kind(stack: Stack, members: list[Member]) -> None:
    _check(stack, members)


def test_damaged_tars_mean_the_same_in_each_kind_and_reach_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    whole = TarMaker().add("d", type=DIRECTORY, mode=0o1750).add("d/f", b"content", mtime=1.5)
    whole.add("d/l", type=SYMLINK, link=str(victim)).add("a/b", b"x" * 700, owner=(1, 2))
    whole.add("n" * 120, b"long").add(".wh.b").add("p", type=FIFO, mode=0o600)
    whole.add("null", type=CHARACTER, device=(1, 3)).add("e/.wh..wh..opq").add("d/l/g", b"in")
    for tar in damaged(whole.done()[:-8192], 250):
        with contextlib.suppress(Unsupported):  # then it is extracted
            assert stack.indexed(tar) == stack.extracted(tar)
        assert list(victim.iterdir()) == []
