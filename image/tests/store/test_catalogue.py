"""Tests of names and pins; finding images is tested with the store."""

import pytest

from image.model.image_config import ImageConfig
from image.store.catalogue import Catalogue, is_pinned, record_of
from image.store.image_index import IndexedImage

CONFIG = ImageConfig(architecture="amd64", os="linux")
DIGEST = "sha256:" + "d" * 64


def _catalogue(*names: str) -> Catalogue:
    indexed = IndexedImage(
        id="sha256:" + "a" * 64, manifest_digest=DIGEST, blob_bytes=5, names=names, layers=()
    )
    return Catalogue([record_of(indexed, CONFIG, ("*/kept:*",))])


@pytest.mark.parametrize(
    ("text", "doomed"),
    [
        ("r.test/a:1", {"r.test/a:1"}),
        ("r.test/b:1", {"r.test/b:1", f"r.test/b@{DIGEST}"}),
        (f"r.test/a@{DIGEST}", {f"r.test/a@{DIGEST}"}),
    ],
)
def test_name_takes_its_digest_along_only_as_the_last_tag(text: str, doomed: set[str]) -> None:
    catalogue = _catalogue(
        "r.test/a:1", "r.test/a:2", "r.test/b:1", f"r.test/a@{DIGEST}", f"r.test/b@{DIGEST}"
    )
    record = catalogue.records()[0]
    assert set(catalogue.doomed_names(text, record)) == doomed
    assert len(catalogue.doomed_names(record.id, record)) == 5


def test_name_that_looks_like_an_id_is_a_name_first() -> None:
    catalogue = _catalogue("docker.io/library/deadbeef:latest")
    assert catalogue.find("deadbeef") is catalogue.records()[0]
    assert catalogue.find("beef") is None
    assert catalogue.find("aaaa") is catalogue.records()[0]
    assert catalogue.find("aaa") is None


def test_pins_are_names_or_globs() -> None:
    assert is_pinned("docker.io/library/pause:3", ("pause:3",))
    assert is_pinned("r.test/kept:1", ("r.test/k*",))
    assert not is_pinned("r.test/kept:1", ("kept:1", ""))
    assert _catalogue("r.test/kept:9").records()[0].pinned
