"""Tests of the index: what each change makes unneeded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.store.image_index import ImageIndex
from image.store.layer_store import LayerSummary
from image.tests.store.image_making import commit_of, layer

NONE: frozenset[str] = frozenset()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ImageIndex]:
    index = ImageIndex(tmp_path / "images.db")
    yield index
    index.close()


def _add(index: ImageIndex, reference: str, *layers: bytes, opaque: bool = False) -> list[str]:
    commit = commit_of(reference, layers)
    for record in commit.layers:
        summary = LayerSummary(
            kind="extract", used_bytes=10, inodes=2, opaque=("",) if opaque else ()
        )
        index.add_layer(record.chain_id, summary)
    index.add_image(commit, 1)
    return [record.chain_id for record in commit.layers]


def test_image_comes_back_as_it_was_given(index: ImageIndex) -> None:
    commit = commit_of("app:1", (layer("a"), layer("b")))
    chains = _add(index, "app:1", layer("a"), layer("b"))
    (image,) = index.images()
    assert image.layers == commit.layers
    assert [name.partition("@")[0] for name in image.names] == [
        "docker.io/library/app:1",
        "docker.io/library/app",
    ]
    assert index.layers() == set(chains)
    assert index.totals() == (20, 4)
    assert index.layer_bytes() == dict.fromkeys(chains, 10)


def test_endpoint_that_served_an_image_last_is_remembered(index: ImageIndex) -> None:
    commit = commit_of("app:1", ())
    for source, expected in (("", ""), ("https://m", "https://m"), ("https://o", "https://o")):
        index.add_image(replace(commit, source=source), 1)
        assert [image.source for image in index.images()] == [expected]
    index.add_image(commit, 1)  # an import does not say where the image once came from
    assert [image.source for image in index.images()] == ["https://o"]
    (image,) = index.images()
    index.remove_names(image.id, image.names, NONE)
    index.add_image(commit, 1)
    assert [image.source for image in index.images()] == [""]


def test_opaque_roots_are_remembered(index: ImageIndex) -> None:
    (chain,) = _add(index, "app:1", layer("a"), opaque=True)
    assert index.opaque_layers() == {chain}


def test_layers_go_with_the_last_image_or_use(index: ImageIndex) -> None:
    base, top = _add(index, "app:1", layer("a"), layer("b"))
    _add(index, "base:1", layer("a"))
    first, second = (image.id for image in index.images())
    app = first if len(index.images()[0].layers) == 2 else second
    index.add_uses("c", [base, top])
    assert index.remove_names(app, index.images()[0].names, NONE) in ((), (top,))
    for image in index.images():
        index.remove_names(image.id, image.names, NONE)
    assert index.layers() == {base, top}
    assert index.remove_uses("unknown", NONE) == ()
    assert set(index.remove_uses("c", frozenset({base}))) == {top}
    assert index.reconcile(NONE, (), NONE) == (base,)


def test_image_without_a_layer_is_forgotten_with_it(index: ImageIndex) -> None:
    base, top = _add(index, "app:1", layer("a"), layer("b"))
    index.add_uses("c", [base, top])
    index.forget_layers([top])
    assert index.images() == ()
    assert index.layers() == {base}


def test_damaged_images_and_unknown_containers_are_forgotten(index: ImageIndex) -> None:
    (chain,) = _add(index, "app:1", layer("a"))
    index.add_uses("known", [chain])
    index.add_uses("gone", [chain])
    assert index.reconcile(frozenset({"known"}), [index.images()[0].id], NONE) == ()
    assert index.images() == ()
    assert index.remove_uses("known", NONE) == (chain,)


def test_layer_that_is_kept_in_another_way_is_noted(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "other.db")
    index.add_layer("a", LayerSummary(kind="erofs", used_bytes=10, inodes=3))
    index.add_uses("c", ["a"])
    index.replace_layer("a", LayerSummary(kind="extract", used_bytes=70, inodes=8))
    assert index.totals() == (70, 8)
    assert index.used_layers() == {"a"}
    index.close()
