"""Damage is found, wherever it is, and what is whole is never called damaged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from image.model.digest import digest_hex, parse_digest, sha256_digest
from image.store.fsck import Damage, Item, damage_of, items_of
from image.store.image_store import ImageStore
from image.tests.store.image_making import add_image, layer

BASE, TOP = layer("base", b"b" * 3000), layer("top", b"t")


def cause_of(item: Item) -> str:
    damage = damage_of(item)
    assert damage is not None
    return damage.cause


async def listed(root: Path) -> tuple[Item, ...]:
    store = await ImageStore.open(root)
    try:
        await add_image(store, "a.test/x:1", BASE, TOP)
        await add_image(store, "a.test/y:1", BASE)
        return items_of(root, store.list_images(), await store.report())
    finally:
        store.close()


async def test_a_whole_store_has_no_damage(tmp_path: Path) -> None:
    items = await listed(tmp_path)
    assert sorted(item.kind for item in items) == [
        "config",
        "config",
        "layer",
        "layer",
        "manifest",
        "manifest",
    ]
    assert [damage_of(item) for item in items] == [None] * 6
    shared = next(item for item in items if len(item.images) == 2)
    assert shared.kind == "layer"


async def test_documents_and_trees_that_lost_something_are_named(tmp_path: Path) -> None:
    items = await listed(tmp_path)
    config = next(item for item in items if item.kind == "config")
    config.path.write_bytes(b"{}")
    assert damage_of(config) == Damage("has another digest than it must")
    tree = next(item for item in items if item.kind == "layer")
    (tree.path / "root").rename(tree.path / "elsewhere")
    assert cause_of(tree).endswith("root is missing")
    missing = replace(tree, path=tmp_path / "layers" / "none")
    assert cause_of(missing).endswith("is missing")


@pytest.fixture
def tar(tmp_path: Path) -> Item:
    chain = sha256_digest(b"chain")
    place = tmp_path / "layers" / digest_hex(parse_digest(chain))
    place.mkdir(parents=True)
    (place / "tar").write_bytes(BASE)
    (place / "index").write_bytes(b"index")
    (place / "layer.json").write_text(json.dumps({"index_sha256": sha256_digest(b"index")[7:]}))
    return Item(
        kind="layer",
        digest=chain,
        size_bytes=1,
        path=place,
        images=("i",),
        expected=sha256_digest(BASE),
        layer_kind="erofs",
    )


def test_one_changed_bit_of_a_tar_is_found(tar: Item) -> None:
    assert damage_of(tar) is None
    with (tar.path / "tar").open("r+b") as stream:
        stream.seek(600)
        stream.write(b"?")
    assert damage_of(tar) == Damage("its tar has another digest than it must")
    (tar.path / "tar").unlink()
    assert "tar is missing" in cause_of(tar)


def test_an_index_that_is_another_than_was_written_is_damage(tar: Item) -> None:
    (tar.path / "index").write_bytes(b"inde?")
    assert damage_of(tar) == Damage("its index has another digest than it must", is_of_index=True)
    (tar.path / "layer.json").write_text("[]")
    assert damage_of(tar) == Damage("its record cannot be read")


async def test_a_changed_file_of_an_extracted_layer_is_named(tmp_path: Path) -> None:
    items = await listed(tmp_path)
    base = next(item for item in items if len(item.images) == 2)
    (base.path / "root/base").write_bytes(b"B" * 3000)
    assert cause_of(base).startswith("its file 'base' has another ")
    (base.path / "content").unlink()
    assert damage_of(base) is None  # made before there were lists


def test_an_index_that_is_no_file_is_damage(tar: Item) -> None:
    (tar.path / "index").unlink()
    assert damage_of(tar) == Damage("its index is missing", is_of_index=True)
    (tar.path / "index").mkdir()
    assert damage_of(tar) == Damage("its index is no file", is_of_index=True)


def test_what_cannot_be_read_is_told(tar: Item) -> None:
    (tar.path / "tar").unlink()
    (tar.path / "tar").mkdir()
    assert "cannot be read" in cause_of(tar)
