"""Tests of the mounted layers' store with a mount table of its own; the kernel's is used end to end."""

import errno
import json
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, Internal
from image.host.disk_usage import usage_below
from image.host.layer_mounts import MountMode
from image.model.digest import sha256_digest
from image.store import erofs_layers
from image.store.chain_ids import chain_ids
from image.store.erofs.tar_index import TarIndex
from image.store.erofs_layers import ErofsLayers
from image.store.indexed_layer import IndexedLayer
from image.store.layer_store import LayerSummary
from image.store.tar_stream import TarStream
from image.store.unpack_tar import UnpackLimits
from image.tests.store import image_making
from image.tests.store.erofs.index_reading import read_index
from image.tests.store.image_making import settled
from image.tests.store.tar_making import Chunks, TarMaker

TAR = TarMaker().add("d/f", b"content").add("o/.wh..wh..opq").done()
TAR_ABOVE = TarMaker().add("d/g", b"2").done()
CHAIN, ABOVE = chain_ids((sha256_digest(TAR), sha256_digest(TAR_ABOVE)))


class MountTable:
    """Which directories are mounted, and what the kernel says to the next mounts."""

    def __init__(self) -> None:
        self.mounted: set[Path] = set()
        self.answers: list[int] = []
        self.asked = 0

    def mount(self, index: Path, tar: Path, target: Path, mode: MountMode) -> None:
        self.asked += 1
        read_index(index.read_bytes(), tar.read_bytes())
        code = self.answers.pop(0) if self.answers else 0
        if code:
            raise OSError(code, os.strerror(code))
        self.mounted.add(target)


class Site:
    def __init__(self, directory: Path, table: MountTable) -> None:
        for name in ("layers", "staging"):
            (directory / name).mkdir()
        self.directory, self.table = directory, table
        self.changes: list[tuple[str, LayerSummary]] = []
        self.layers = self.store()

    def store(self, mode: MountMode = MountMode.FILE) -> ErofsLayers:
        return ErofsLayers(
            self.directory / "layers",
            self.directory / "staging",
            mode,
            lambda chain_id, summary: self.changes.append((chain_id, summary)),
        )

    def publish(self, chain_id: str = CHAIN, parent: str = "", tar: bytes = TAR) -> LayerSummary:
        staged = self.directory / "staging" / "new"
        builder = IndexedLayer(staged, UnpackLimits())
        builder.fill(Chunks(tar))
        found = settled(builder, [self.layers.place(parent)] if parent else [])
        builder.close()
        summary = LayerSummary(
            kind=found.kind,
            parent=parent,
            opaque=found.opaque,
            used_bytes=found.used_bytes,
            inodes=found.inodes,
        )
        return self.layers.publish(staged, chain_id, summary)

    def record(self, chain_id: str = CHAIN) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            (self.layers.place(chain_id) / "layer.json").read_bytes()
        )
        return found

    def rewrite(self, change: Callable[[dict[str, object]], None]) -> None:
        record = self.record()
        change(record)
        (self.layers.place(CHAIN) / "layer.json").write_text(json.dumps(record))

    def root(self, chain_id: str = CHAIN) -> Path:
        return self.layers.place(chain_id) / "root"

    def staged(self) -> list[str]:
        return os.listdir(self.directory / "staging")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    table = MountTable()
    monkeypatch.setattr(erofs_layers, "mount_layer", table.mount)
    monkeypatch.setattr(erofs_layers, "is_mounted", lambda target: target in table.mounted)
    monkeypatch.setattr(erofs_layers, "unmount_layer", table.mounted.discard)
    return Site(tmp_path, table)


def test_published_layer_is_mounted_once_and_read_only(site: Site) -> None:
    summary = site.publish()
    assert summary.kind == "erofs"
    assert site.layers.attach(CHAIN) == site.root()
    assert site.table.asked == 1
    assert site.table.mounted == {site.root()}
    place = site.layers.place(CHAIN)
    modes = {name: stat.S_IMODE((place / name).stat().st_mode) for name in os.listdir(place)}
    assert modes == {"tar": 0o400, "index": 0o400, "layer.json": 0o600, "root": 0o700}
    assert site.record()["opaque"] == ["o"]
    assert site.layers.chain_ids() == {CHAIN}
    assert site.staged() == []


def test_first_of_two_equal_layers_stays(site: Site) -> None:
    site.publish()
    content = (site.layers.place(CHAIN) / "index").read_bytes()
    site.publish(tar=TarMaker().add("other").done())
    assert (site.layers.place(CHAIN) / "index").read_bytes() == content


@pytest.mark.parametrize("name", ["tar", "index"])
def test_worker_cannot_hand_over_another_file(site: Site, name: str) -> None:
    staged = site.directory / "staging" / "evil"
    builder = IndexedLayer(staged, UnpackLimits())
    builder.fill(Chunks(TAR))
    summary = settled(builder, [])
    builder.close()
    (staged / name).rename(site.directory / "elsewhere")
    (staged / name).symlink_to(site.directory / "elsewhere")
    with pytest.raises(Internal, match="no plain file"):
        site.layers.publish(staged, CHAIN, summary)
    (staged / name).unlink()
    os.link(site.directory / "elsewhere", staged / name)
    with pytest.raises(Internal, match="no plain file"):
        site.layers.publish(staged, CHAIN, summary)
    assert site.layers.chain_ids() == frozenset()


def test_extracted_layers_live_in_the_same_store(site: Site) -> None:
    staged = site.directory / "staging" / "tree"
    summary = image_making.build(staged, image_making.layer("f"), [])
    published = site.layers.publish(staged, CHAIN, summary)
    assert (published.used_bytes, published.inodes) == usage_below(site.layers.place(CHAIN))
    assert os.listdir(site.layers.attach(CHAIN)) == ["f"]
    assert site.table.asked == 0


def test_layer_is_found_mounted_or_mounted_again_after_a_restart(site: Site) -> None:
    site.publish()
    assert site.store().attach(CHAIN) == site.root()
    assert site.table.asked == 1
    site.table.mounted.clear()
    site.root().rmdir()
    assert site.store().attach(CHAIN) == site.root()
    assert site.table.mounted == {site.root()}
    assert site.changes == []


@pytest.mark.parametrize("damage", ["format", "mount", "gone", "flipped", "unreadable"])
def test_index_is_made_again_from_the_tar(site: Site, damage: str) -> None:
    site.publish()
    good = (site.layers.place(CHAIN) / "index").read_bytes()
    site.table.mounted.clear()
    match damage:
        case "format":
            site.rewrite(lambda record: record.update(format=0))
            (site.layers.place(CHAIN) / "index").unlink()
        case "mount":
            site.table.answers = [errno.EUCLEAN]
        case "flipped":
            index = site.layers.place(CHAIN) / "index"
            index.chmod(0o600)
            index.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        case "unreadable":
            (site.layers.place(CHAIN) / "index").unlink()
            (site.layers.place(CHAIN) / "index").symlink_to("elsewhere")
        case _:
            (site.layers.place(CHAIN) / "index").unlink()
    site.layers.attach(CHAIN)
    assert site.table.mounted == {site.root()}
    assert (site.layers.place(CHAIN) / "index").read_bytes() == good
    assert site.record()["format"] == 1
    assert site.staged() == []


def test_layer_that_no_index_helps_is_extracted(site: Site) -> None:
    site.publish()
    site.table.mounted.clear()
    site.table.answers = [errno.EIO, errno.EIO]
    root = site.layers.attach(CHAIN)
    assert (root / "d/f").read_bytes() == b"content"
    assert sorted(os.listdir(site.layers.place(CHAIN))) == ["content", "layer.json", "root"]
    assert site.record()["kind"] == "extract"
    assert [(chain_id, summary.kind) for chain_id, summary in site.changes] == [(CHAIN, "extract")]
    assert site.staged() == []
    assert site.layers.attach(CHAIN) == root
    mark = "trusted" if os.geteuid() == 0 else "user"
    assert os.getxattr(root / "o", f"{mark}.overlay.opaque") == b"y"


def test_kernel_that_refuses_at_once_gets_an_extracted_layer(site: Site) -> None:
    site.table.answers = [errno.EIO, errno.EIO]
    assert site.publish().kind == "extract"
    assert site.changes == []
    assert (site.root() / "d/f").exists()


def test_store_without_mounts_extracts_what_it_finds(site: Site) -> None:
    site.publish()
    site.publish(ABOVE, CHAIN, TAR_ABOVE)
    site.table.mounted.clear()
    root = site.store(MountMode.EXTRACT).attach(ABOVE)
    assert (root / "d/g").read_bytes() == b"2"
    assert {chain_id for chain_id, _ in site.changes} == {CHAIN, ABOVE}
    assert site.table.asked == 2
    assert site.record(ABOVE)["parent"] == CHAIN


def test_damaged_tar_needs_a_new_pull(site: Site) -> None:
    site.publish()
    site.table.mounted.clear()
    tar = site.layers.place(CHAIN) / "tar"
    tar.chmod(0o600)
    tar.write_bytes(b"x" * 512 + tar.read_bytes()[512:])
    (site.layers.place(CHAIN) / "index").unlink()
    with pytest.raises(FailedPrecondition, match="pull it again"):
        site.layers.attach(CHAIN)
    with pytest.raises(FailedPrecondition, match="pull it again"):
        site.store(MountMode.EXTRACT).attach(CHAIN)
    assert site.staged() == []


def test_root_that_cannot_be_read_counts_as_a_damaged_index(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish()
    site.table.mounted.clear()
    real, failures = os.listdir, [errno.EIO]

    def listdir(place: Path) -> list[str]:
        if place == site.root() and failures:
            raise OSError(failures.pop(), "Input/output error")
        return real(place)

    monkeypatch.setattr(os, "listdir", listdir)
    assert site.layers.attach(CHAIN) == site.root()
    assert site.table.asked == 3


def test_a_damaged_tar_is_never_extracted(site: Site) -> None:
    site.publish()
    site.table.mounted.clear()
    tar = site.layers.place(CHAIN) / "tar"
    tar.chmod(0o600)
    tar.write_bytes(tar.read_bytes().replace(b"content", b"CONTENT"))
    site.table.answers = [errno.EIO]
    with pytest.raises(FailedPrecondition, match="its tar has another digest"):
        site.layers.attach(CHAIN)
    with pytest.raises(FailedPrecondition, match="its tar has another digest"):
        site.store(MountMode.EXTRACT).attach(CHAIN)
    assert tar.exists()


def test_a_record_that_cannot_be_read_is_damage(site: Site) -> None:
    site.publish()
    site.table.mounted.clear()
    (site.layers.place(CHAIN) / "layer.json").write_text("{")
    with pytest.raises(FailedPrecondition, match="its record cannot be read"):
        site.layers.attach(CHAIN)


@pytest.mark.parametrize("mode", [MountMode.FILE, MountMode.EXTRACT])
def test_a_layer_is_renewed_while_it_is_mounted(site: Site, mode: MountMode) -> None:
    site.publish()
    index = site.layers.place(CHAIN) / "index"
    good = index.read_bytes()
    index.chmod(0o600)
    index.write_bytes(b"damaged")
    site.store(mode).renew(CHAIN)
    if mode is MountMode.FILE:
        assert index.read_bytes() == good
        assert site.table.mounted == {site.root()}
    else:
        assert [summary.kind for _, summary in site.changes] == ["extract"]
    with pytest.raises(FileNotFoundError):
        site.layers.renew(ABOVE)


def test_a_slow_mending_holds_up_no_other_layer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish()
    site.publish(ABOVE, CHAIN, TAR_ABOVE)
    site.table.mounted.clear()
    (site.layers.place(ABOVE) / "index").unlink()
    begun, go_on = threading.Event(), threading.Event()
    real = TarIndex.run

    def slow(index: TarIndex, stream: TarStream) -> None:
        begun.set()
        assert go_on.wait(60)
        real(index, stream)

    monkeypatch.setattr(TarIndex, "run", slow)
    with ThreadPoolExecutor() as threads:
        mending = threads.submit(site.layers.attach, ABOVE)
        assert begun.wait(60)
        assert site.layers.attach(CHAIN) == site.root()
        go_on.set()
        assert mending.result(60) == site.root(ABOVE)


def test_absent_layer_is_told(site: Site) -> None:
    with pytest.raises(FileNotFoundError):
        site.layers.attach(CHAIN)


def test_removal_unmounts_and_deletes(site: Site) -> None:
    site.publish()
    (retired,) = site.layers.retire([CHAIN, ABOVE])
    assert site.table.mounted == set()
    assert site.layers.chain_ids() == frozenset()
    site.layers.discard(retired)
    site.layers.discard(retired)
    assert site.staged() == []


def test_end_of_the_daemon_spares_mounts_in_use(site: Site) -> None:
    site.publish()
    site.publish(ABOVE, CHAIN)
    site.layers.detach_idle({CHAIN})
    assert site.table.mounted == {site.root(CHAIN)}
