"""Tests of the tree of a layer: how names resolve, and that work is bounded."""

import stat

import pytest

from image.store.erofs import layer_nodes
from image.store.erofs.layer_nodes import Directory, LayerNodes, Link, Node, Regular, Special
from image.store.tar_headers import TarError


@pytest.fixture
def nodes() -> LayerNodes:
    return LayerNodes(max_depth=50)


def file() -> Regular:
    return Regular(stat.S_IFREG | 0o644)


def link(target: bytes) -> Link:
    return Link(stat.S_IFLNK | 0o777, target=target)


def directory() -> Directory:
    return Directory(stat.S_IFDIR | 0o700)


def paths(nodes: LayerNodes) -> set[bytes]:
    return {path for path, _, _ in nodes.directories()}


def test_missing_directories_are_made_and_implied(nodes: LayerNodes) -> None:
    nodes.put(b"a/b/f", file())
    assert paths(nodes) == {b"", b"a", b"a/b"}
    assert all(found.implied for _, found, _ in nodes.directories())
    assert nodes.count == 4


@pytest.mark.parametrize("target", [b"real", b"/real", b"../../real", b"./x/../real", b"/../real/"])
def test_links_on_the_way_are_followed_inside_the_layer(nodes: LayerNodes, target: bytes) -> None:
    nodes.put(b"x", directory())
    nodes.put(b"link", link(target))
    wanted = file()
    nodes.put(b"link/f", wanted)
    assert nodes.find(b"real/f") is wanted
    assert isinstance(nodes.find(b"link"), Link)


def test_known_directory_is_forgotten_when_its_link_moves(nodes: LayerNodes) -> None:
    nodes.put(b"link", link(b"one"))
    nodes.put(b"link/f", file())
    nodes.put(b"link", link(b"two"))
    nodes.put(b"link/g", file())
    assert nodes.find(b"one/g") is None
    assert nodes.find(b"two/g") is not None


def test_replaced_directory_takes_its_content_along(nodes: LayerNodes) -> None:
    nodes.put(b"d/f", file())
    nodes.put(b"d", file())
    nodes.put(b"d", directory())
    assert nodes.find(b"d/f") is None


def test_whiteout_spares_what_the_layer_itself_has(nodes: LayerNodes) -> None:
    nodes.put(b"d/f", file())
    nodes.white_out(b"d")
    nodes.white_out(b"d/f")
    found = nodes.find(b"d")
    assert isinstance(found, Directory)
    assert found.opaque
    assert isinstance(nodes.find(b"d/f"), Regular)
    assert nodes.whiteouts == 0


@pytest.mark.parametrize("described", [True, False])
def test_directory_in_place_of_a_whiteout_is_opaque(nodes: LayerNodes, described: bool) -> None:
    nodes.white_out(b"d")
    gone = nodes.find(b"d")
    assert isinstance(gone, Special)
    assert gone.is_whiteout
    if described:
        nodes.put(b"d", directory())
    nodes.put(b"d/f", file())
    found = nodes.find(b"d")
    assert isinstance(found, Directory)
    assert found.opaque
    assert [hidden for path, _, hidden in nodes.directories() if path == b"d"] == [False]


def test_below_an_opaque_directory_all_is_hidden(nodes: LayerNodes) -> None:
    nodes.put(b"a/b/c", directory())
    nodes.root.children[b"a"] = opaque = nodes.root.children[b"a"]
    assert isinstance(opaque, Directory)
    opaque.opaque = True
    hidden = {path: found for path, _, found in nodes.directories()}
    assert hidden == {b"": False, b"a": False, b"a/b": True, b"a/b/c": True}


@pytest.mark.parametrize("target", [b"absent", b"absent/f", b"d", b"f/x"])
def test_hard_link_needs_a_file(nodes: LayerNodes, target: bytes) -> None:
    nodes.put(b"d/f", file())
    nodes.put(b"f", file())
    with pytest.raises(TarError):
        nodes.link(b"h", target)
    nodes.link(b"h", b"d/f")
    nodes.link(b"h", b"h")
    assert nodes.find(b"h") is nodes.find(b"d/f")


def test_hostile_names_are_refused(nodes: LayerNodes) -> None:
    nodes.put(b"f", file())
    nodes.put(b"loop", link(b"loop"))
    nodes.put(b"long", link(b"x" * 256))
    deep = b"/".join([b"d"] * 60)
    for path in (b"f/x", b"loop/x", b"long/x", b"x" * 256, deep):
        with pytest.raises(TarError):
            nodes.put(path, file())


def test_links_cannot_make_a_layer_ever_deeper_or_slower(
    nodes: LayerNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = b"/".join([b"d"] * 30)
    nodes.put(b"l0", link(step))
    for number in range(30):
        nodes.put(b"l%d" % (number + 1), link(b"l%d/" % number + step))
    with pytest.raises(TarError, match="too long"):
        nodes.put(b"l30/x", file())
    monkeypatch.setattr(layer_nodes, "_MAX_STEPS", 100)
    fresh = LayerNodes(max_depth=500)
    with pytest.raises(TarError, match="too long"):
        fresh.put(b"/".join([b"d/.."] * 60) + b"/d/f", file())


def test_many_directories_are_known_in_bounded_memory(
    nodes: LayerNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_nodes, "_CACHED", 3)
    for number in range(20):
        nodes.put(b"%d/f" % number, file())
    assert len(paths(nodes)) == 21
    assert isinstance(nodes.find(b"19/f"), Node)
