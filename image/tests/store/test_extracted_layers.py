"""Tests of publishing and removing extracted layers."""

import os
import stat
from pathlib import Path

import pytest

from image.errors import Internal, InvalidArgument
from image.model.digest import sha256_digest
from image.store.extracted_layers import ExtractedLayers
from image.store.layer_store import LayerSummary
from image.tests.store.image_making import build, layer

CHAIN = sha256_digest(b"chain")


@pytest.fixture
def layers(tmp_path: Path) -> ExtractedLayers:
    (tmp_path / "layers").mkdir()
    (tmp_path / "staging").mkdir()
    return ExtractedLayers(tmp_path / "layers", tmp_path / "staging")


def test_first_of_two_equal_layers_stays(layers: ExtractedLayers, tmp_path: Path) -> None:
    for name in ("one", "two"):
        summary = build(tmp_path / "staging" / name, layer(name), [])
        layers.publish(tmp_path / "staging" / name, CHAIN, summary)
    assert os.listdir(layers.attach(CHAIN)) == ["one"]
    assert layers.chain_ids() == {CHAIN}
    assert stat.S_IMODE(layers.place(CHAIN).stat().st_mode) == 0o700


def test_retired_layer_is_gone_at_once(layers: ExtractedLayers, tmp_path: Path) -> None:
    layers.publish(tmp_path / "staging/l", CHAIN, build(tmp_path / "staging/l", layer("f"), []))
    (retired,) = layers.retire([CHAIN, sha256_digest(b"absent")])
    assert layers.chain_ids() == frozenset()
    with pytest.raises(FileNotFoundError):
        layers.attach(CHAIN)
    layers.discard(retired)
    layers.discard(retired)
    assert os.listdir(tmp_path / "staging") == []


def test_opaque_marks_stay_inside_the_layer(layers: ExtractedLayers, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    staged = tmp_path / "staging/l"
    build(staged, layer("f"), [])
    (staged / "root/d").mkdir()
    (staged / "root/link").symlink_to(victim)
    summary = LayerSummary(kind="extract", opaque=("d", "", "f", "absent"))
    layers.publish(staged, CHAIN, summary)
    name = f"{'trusted' if os.geteuid() == 0 else 'user'}.overlay.opaque"
    assert os.getxattr(layers.attach(CHAIN) / "d", name) == b"y"
    assert os.getxattr(layers.attach(CHAIN), name) == b"y"
    evil = LayerSummary(kind="extract", opaque=("../../../victim", "link", "link/f"))
    build(tmp_path / "staging/e", layer("f"), [])
    (tmp_path / "staging/e/root/link").symlink_to(victim)
    layers.publish(tmp_path / "staging/e", sha256_digest(b"other"), evil)
    assert os.listxattr(victim) == []


def test_chain_id_is_the_only_form_of_a_name(layers: ExtractedLayers) -> None:
    with pytest.raises(InvalidArgument):
        layers.place("sha256:../../x")


def test_a_pipe_in_place_of_the_list_of_files_is_refused(
    layers: ExtractedLayers, tmp_path: Path
) -> None:
    staged = tmp_path / "staging/l"
    summary = build(staged, layer("f"), [])
    (staged / "content").unlink()
    os.mkfifo(staged / "content")
    with pytest.raises(Internal, match="content that is no plain file"):
        layers.publish(staged, CHAIN, summary)
    assert layers.chain_ids() == frozenset()
