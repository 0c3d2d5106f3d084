"""Tests of failures of the disk, of damage, and of what happens at the same time."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, Internal, ResourceExhausted
from image.model.digest import sha256_digest
from image.store.erofs_layers import ErofsLayers
from image.store.image_store import ImageStore
from image.store.layer_store import LayerSummary
from image.store.store_files import StoreFiles
from image.tests.store.image_making import add_image, build, commit_of, layer, publish_missing

TAR = layer("f")
COMMIT = commit_of("app:1", (TAR,))
CHAIN = COMMIT.layers[0].chain_id


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StoreFiles]:
    files = StoreFiles(tmp_path / "images", (), lambda: 1)
    yield files
    files.close()


def _publish(files: StoreFiles) -> None:
    staging = files.open_staging()
    summary = build(staging / "layer0", TAR, [])
    files.take_claims("t", (CHAIN,))
    files.publish_layer("t", staging / "layer0", CHAIN, summary)


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, ResourceExhausted), (errno.EIO, Internal)]
)
def test_failing_disk_leaves_the_store_unchanged(
    files: StoreFiles, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    _publish(files)

    def fail(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(error):
            files.commit(COMMIT)
    assert files.catalogue.records() == ()
    assert files.commit(COMMIT).repo_tags == ("docker.io/library/app:1",)


def test_missing_layer_is_told_when_it_is_used(files: StoreFiles, tmp_path: Path) -> None:
    _publish(files)
    record = files.commit(COMMIT)
    files.claimed_places("t", [CHAIN])[0].rename(tmp_path / "away")
    with pytest.raises(FailedPrecondition, match="missing from the store"):
        files.acquire(record.id, "c")
    assert files.config_bytes(record.id) == COMMIT.config


def test_layer_with_an_opaque_root_hides_those_below(files: StoreFiles) -> None:
    from image.tests.store.tar_making import TarMaker

    top = TarMaker().add(".wh..wh..opq").add("new", b"1").done()
    commit = commit_of("app:1", (TAR, top))
    chains = tuple(record.chain_id for record in commit.layers)
    staging = files.open_staging()
    files.take_claims("t", chains)
    files.publish_layer("t", staging / "a", chains[0], build(staging / "a", TAR, []))
    lowers = files.claimed_places("t", chains[:1])
    files.publish_layer("t", staging / "b", chains[1], build(staging / "b", top, lowers))
    record = files.commit(commit)
    assert [os.listdir(path) for path in files.acquire(record.id, "c")] == [["new"]]


def test_layer_above_an_absent_one_is_refused(files: StoreFiles) -> None:
    staging = files.open_staging()
    summary = replace(build(staging / "layer0", TAR, []), parent=sha256_digest(b"absent"))
    files.take_claims("t", (CHAIN,))
    with pytest.raises(Internal, match="above one that is not here"):
        files.publish_layer("t", staging / "layer0", CHAIN, summary)


def test_present_layers_are_attached_for_those_who_build_above(
    files: StoreFiles, tmp_path: Path
) -> None:
    _publish(files)
    other = sha256_digest(b"other")
    assert files.take_claims("t", (CHAIN, other)) == {CHAIN: "present", other: "yours"}
    files.claimed_places("t", [CHAIN])[0].rename(tmp_path / "away")
    assert files.take_claims("t", (CHAIN, other))[CHAIN] == "present"


def test_closing_twice_is_fine(files: StoreFiles) -> None:
    files.close()
    files.close()


# By the store that the daemon uses -----------------------------------------------------------

BASE, TOP = layer("base"), layer("top")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    store = await ImageStore.open(tmp_path / "images")
    yield store
    store.close()


def layers_on_disk(store: ImageStore) -> int:
    return len(os.listdir(store.root / "layers"))


async def _reopened(store: ImageStore, *containers: str) -> ImageStore:
    """Open the store again as after a crash: the old one is never closed."""
    again = await ImageStore.open(store.root)
    await again.reconcile(frozenset(containers))
    return again


async def test_damaged_content_stays_for_containers_that_use_it(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE, TOP)
    await store.acquire(record.id, "c")
    base = record.layers[0].chain_id
    await store.condemn(base)
    await store.condemn(base)
    assert store.list_images() == ()
    (kept,) = (store.root / "replaced").iterdir()
    assert (kept / "root/base").exists()
    await add_image(store, "app:1", BASE, TOP)
    assert layers_on_disk(store) == 2
    again = await _reopened(store, "c")
    assert list((store.root / "replaced").iterdir()) == [kept]
    await again.release("c")
    assert list((store.root / "replaced").iterdir()) == []
    again.close()


async def test_a_crash_while_damage_is_set_aside_is_finished_at_start(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    await store.acquire(record.id, "c")
    await store.condemn(record.layers[0].chain_id)
    (kept,) = (store.root / "replaced").iterdir()
    kept.rename(store.root / "layers" / record.id.partition(":")[2])  # not the layer's name: swept
    again = await _reopened(store, "c")
    assert list((store.root / "replaced").iterdir()) == []
    record = await add_image(again, "app:2", TOP)
    await again.acquire(record.id, "d")
    await again.condemn(record.layers[0].chain_id)
    (kept,) = (store.root / "replaced").iterdir()
    kept.rename(store.root / "layers" / record.layers[0].chain_id.partition(":")[2])
    third = await _reopened(again, "c", "d")
    assert list((store.root / "replaced").iterdir()) == [kept]
    fourth = await _reopened(third)
    assert list((store.root / "replaced").iterdir()) == []
    for one in (again, third, fourth):
        one.close()


async def test_a_layer_that_something_wants_now_is_not_taken_out(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    space = await store.begin_pull()
    await space.claim((record.layers[0].chain_id,))
    with pytest.raises(FailedPrecondition, match="try again"):
        await store.condemn(record.layers[0].chain_id)
    await space.close()
    with pytest.raises(Internal, match="No such file"):
        await store.renew("sha256:" + "0" * 64)


class SlowMounts:
    """Mounts of layers that wait until they may go on, all of them or those of one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, only: str = "") -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        real = ErofsLayers.attach

        def attach(layers: ErofsLayers, chain_id: str) -> Path:
            if only in ("", chain_id):
                self.begun.set()
                assert self.go_on.wait(60)
            return real(layers, chain_id)

        monkeypatch.setattr(ErofsLayers, "attach", attach)


async def test_an_image_that_is_removed_while_it_is_mounted_stays_for_the_container(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await add_image(store, "app:1", BASE)
    slow = SlowMounts(monkeypatch)
    async with asyncio.TaskGroup() as group:
        acquiring = group.create_task(store.acquire(record.id, "c"))
        assert await asyncio.to_thread(slow.begun.wait, 60)
        await store.remove(record.id)  # waits for nobody
        assert await store.collect() == 0
        other = await add_image(store, "other:1", TOP)
        assert store.list_images() == (other,)
        slow.go_on.set()
    assert (acquiring.result()[0] / "base").exists()
    await store.release("c")
    assert layers_on_disk(store) == 1


async def test_containers_of_one_slow_image_leave_threads_for_others(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_one, other = await add_image(store, "a:1", BASE), await add_image(store, "b:1", TOP)
    slow = SlowMounts(monkeypatch, only=slow_one.layers[0].chain_id)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(store.acquire(slow_one.id, f"slow{number}"))
        assert (await store.acquire(other.id, "quick"))[0].is_dir()
        assert len(store.list_images()) == 2
        await store.remove(other.id)
        slow.go_on.set()


async def test_a_container_that_is_given_up_while_its_image_is_mounted_keeps_nothing(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await add_image(store, "app:1", BASE)
    slow = SlowMounts(monkeypatch)
    async with asyncio.TaskGroup() as group:
        acquiring = group.create_task(store.acquire(record.id, "c"))
        assert await asyncio.to_thread(slow.begun.wait, 60)
        await store.release("c")
        slow.go_on.set()
    assert acquiring.done()
    assert (await store.report()).uses == {}


async def test_a_pull_is_closed_when_what_it_publishes_is_done(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = ErofsLayers.publish

    def slow(
        layers: ErofsLayers, staged: Path, chain_id: str, summary: LayerSummary
    ) -> LayerSummary:
        begun.set()
        assert go_on.wait(60)
        return real(layers, staged, chain_id, summary)

    monkeypatch.setattr(ErofsLayers, "publish", slow)
    space = await store.begin_pull()
    async with asyncio.TaskGroup() as group:
        pull = group.create_task(publish_missing(space, commit_of("app:1", (BASE,)), (BASE,)))
        assert await asyncio.to_thread(begun.wait, 60)
        pull.cancel()
        closing = group.create_task(space.close())
        await asyncio.sleep(0)
        assert space.staging.exists()
        go_on.set()
        await closing
    assert not space.staging.exists()
    assert layers_on_disk(store) == 1
    assert await store.collect() == 1


async def test_a_pull_that_is_given_up_while_it_publishes_leaves_nothing(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = ErofsLayers.publish

    def slow(
        layers: ErofsLayers, staged: Path, chain_id: str, summary: LayerSummary
    ) -> LayerSummary:
        begun.set()
        assert go_on.wait(60)
        return real(layers, staged, chain_id, summary)

    monkeypatch.setattr(ErofsLayers, "publish", slow)
    space = await store.begin_pull()
    async with asyncio.TaskGroup() as group:
        group.create_task(publish_missing(space, commit_of("app:1", (BASE,)), (BASE,)))
        assert await asyncio.to_thread(begun.wait, 60)
        store._files.release_claims(space._ticket)
        go_on.set()
    assert store._files._index.layers() == frozenset()
    await store.collect()
    assert layers_on_disk(store) == 0
    await space.close()


async def test_a_damaged_document_is_mended_by_the_next_pull(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    path = store.root / "blobs/sha256" / record.id.partition(":")[2]
    path.write_bytes(b"{}")
    await add_image(store, "app:1", BASE)
    assert await store.read_blob(record.id)
