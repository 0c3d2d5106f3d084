"""Tests of what is remembered of the endpoints that served blobs."""

import sqlite3
from dataclasses import replace
from pathlib import Path

from image.store.image_commit import ImageCommit
from image.store.image_index import ImageIndex
from image.store.layer_store import LayerSummary
from image.tests.store.image_making import commit_of, layer


def commit(reference: str, *sources: str, config: str = "", salt: str = "") -> ImageCommit:
    """Make an image of as many layers as there are sources."""
    made = commit_of(reference, tuple(layer(f"f{n}") for n in range(len(sources))), salt=salt)
    layers = tuple(replace(one, source=s) for one, s in zip(made.layers, sources, strict=True))
    return replace(made, layers=layers, config_source=config)


def register(index: ImageIndex, *commits: ImageCommit) -> None:
    for one in commits:
        for each in one.layers:
            summary = LayerSummary(kind="extract", used_bytes=1, inodes=1, opaque=())
            index.add_layer(each.chain_id, summary)
        index.add_image(one, 1)


def sources(index: ImageIndex) -> dict[str, list[str]]:
    """Give config's and layers' sources by the image's last name."""
    return {
        image.names[-1].rpartition("/")[2]: [
            image.config_source,
            *(one.source for one in image.layers),
        ]
        for image in index.images()
    }


def test_each_blob_keeps_its_own_source_over_a_restart(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "images.db")
    register(index, commit("app:1", "https://m", "https://o", config="https://c"))
    index.close()
    index = ImageIndex(tmp_path / "images.db")
    (found,) = sources(index).values()
    assert found == ["https://c", "https://m", "https://o"]
    index.close()


def test_blob_that_was_here_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "images.db")
    register(index, commit("app:1", "https://m", config="https://c"))
    register(index, commit("app:1", "", salt="pushed again"))
    register(index, commit("big:1", "", "https://o"))
    known = sorted(sources(index).values())
    assert known == [["", "https://m", "https://o"], ["https://c", "https://m"]]
    register(index, commit("app:1", "https://n"))
    assert ["https://c", "https://n"] in sources(index).values()
    index.close()


def test_sources_go_with_the_image_and_its_layers(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "images.db")
    first = commit("app:1", "https://m", config="https://c")
    register(index, first)
    other = replace(first.layers[0], digest="sha256:" + "1" * 64, source="")
    register(index, replace(first, layers=(other,)))
    assert list(sources(index).values()) == [["https://c", ""]]
    (image,) = index.images()
    index.remove_names(image.id, image.names, frozenset())
    index.close()
    with sqlite3.connect(tmp_path / "images.db") as connection:
        assert connection.execute("SELECT count(*) FROM blob_sources").fetchone() == (0,)
    connection.close()


def test_store_of_an_older_version_is_opened_and_knows_no_sources(tmp_path: Path) -> None:
    path = tmp_path / "images.db"
    index = ImageIndex(path)
    register(index, commit("app:1", "https://m", config="https://c"))
    index.close()
    with sqlite3.connect(path) as connection:  # as the first version left it
        connection.execute("DROP TABLE blob_sources")
        connection.execute("DROP TABLE image_sources")
    connection.close()
    index = ImageIndex(path)
    assert list(sources(index).values()) == [["", ""]]
    register(index, commit("app:1", "https://m", config="https://c"))
    assert list(sources(index).values()) == [["https://c", "https://m"]]
    index.close()
