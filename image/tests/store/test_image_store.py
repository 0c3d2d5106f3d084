"""Tests of the store as the daemon uses it: names, removal, uses, crashes."""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from image.errors import Internal, InvalidArgument, NotFound, ResourceExhausted
from image.store.extracted_layers import ExtractedLayers
from image.store.image_store import ImageStore
from image.store.layer_claims import ClaimState
from image.store.layer_store import LayerSummary
from image.tests.store.image_making import add_image, commit_of, layer, publish_missing

BASE, TOP = layer("base"), layer("top")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    store = await ImageStore.open(tmp_path / "images", pinned=("pinned:*", "docker.io/library/p:1"))
    yield store
    store.close()


def layers_on_disk(store: ImageStore) -> int:
    return len(os.listdir(store.root / "layers"))


async def test_image_is_the_same_by_every_name(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    digits = record.id.removeprefix("sha256:")
    names = [
        "app:1",
        "docker.io/library/app:1",
        record.id,
        digits,
        digits[:12],
        *record.repo_digests,
    ]
    assert all(store.find(name) is record for name in names)
    assert record.repo_tags == ("docker.io/library/app:1",)
    assert record.size_bytes > 0
    assert store.list_images() == (record,)
    for missing in ("app:2", "f" * 64, "", "@", "sha256:", "../x"):
        assert store.find(missing) is None


async def test_bare_name_means_latest(store: ImageStore) -> None:
    record = await add_image(store, "app", BASE)
    assert store.find("app") is record
    assert record.repo_tags == ("docker.io/library/app:latest",)


async def test_same_content_from_two_registries_is_one_image(store: ImageStore) -> None:
    first = await add_image(store, "a.test/app:1", BASE)
    record = await add_image(store, "b.test/other:2", BASE, salt="other manifest")
    assert record.id == first.id
    assert record.repo_tags == ("a.test/app:1", "b.test/other:2")
    assert len(record.repo_digests) == 2
    assert len(store.list_images()) == 1


async def test_moved_tag_keeps_the_old_image_by_digest(store: ImageStore) -> None:
    old = await add_image(store, "app:1", BASE)
    new = await add_image(store, "app:1", TOP)
    kept = store.find(old.id)
    assert kept is not None
    assert kept.repo_tags == ()
    assert kept.repo_digests == old.repo_digests
    assert store.find("app:1") is store.find(new.id)


async def test_pull_by_digest_records_no_tag(store: ImageStore) -> None:
    digest = commit_of("app", (BASE,)).target_digest
    record = await add_image(store, f"app:ignored@{digest}", BASE)
    assert record.repo_tags == ()
    assert record.repo_digests == (f"docker.io/library/app@{digest}",)


async def test_removal_by_id_takes_all_names(store: ImageStore) -> None:
    await add_image(store, "a.test/app:1", BASE)
    record = await add_image(store, "b.test/app:1", BASE)

    async def remove_and_look() -> bool:
        await store.remove(record.id)
        return store.find(record.id) is None

    assert all(await asyncio.gather(*(remove_and_look() for _ in range(5))))
    assert store.list_images() == ()
    assert layers_on_disk(store) == 0
    assert os.listdir(store.root / "blobs/sha256") == []
    await store.remove("0" * 64)
    await store.remove("never:was")


async def test_removal_by_name_takes_one_name_and_the_image_with_the_last(
    store: ImageStore,
) -> None:
    record = await add_image(store, "app:1", BASE)
    await add_image(store, "app:2", BASE)
    await store.remove("app:1")
    left = store.find(record.id)
    assert left is not None
    assert left.repo_tags == ("docker.io/library/app:2",)
    await store.remove("app:2")
    assert store.list_images() == ()


async def test_layers_are_shared_until_the_last_image_goes(store: ImageStore) -> None:
    first = await add_image(store, "one:1", BASE)
    await add_image(store, "two:1", BASE, TOP)
    assert layers_on_disk(store) == 2
    await store.remove(first.id)
    assert layers_on_disk(store) == 2
    await store.remove("two:1")
    assert layers_on_disk(store) == 0


async def test_what_is_removed_leaves_the_disk_behind_the_call(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_image(store, "app:1", BASE, TOP)
    go_on = threading.Event()
    real = ExtractedLayers.discard

    def slow(layers: ExtractedLayers, retired: Path) -> None:
        assert go_on.wait(30)
        real(layers, retired)

    monkeypatch.setattr(ExtractedLayers, "discard", slow)
    await store.remove("app:1")
    assert layers_on_disk(store) == 0
    assert not await store.wait_removed(0.001)
    assert await store.collect() == 0  # it is in work already
    go_on.set()
    assert await store.wait_removed(30)
    assert os.listdir(store.root / "staging") == []


async def test_content_stays_while_a_container_uses_it(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE, TOP)
    directories = await store.acquire(record.id, "c1")
    assert [os.listdir(path) for path in directories] == [["top"], ["base"]]
    await store.acquire(record.id, "c2")
    await store.remove(record.id)
    assert store.find(record.id) is None
    await store.release("c1")
    assert (directories[0] / "top").exists()
    await store.release("c2")
    await store.release("c2")
    assert layers_on_disk(store) == 0
    with pytest.raises(NotFound):
        await store.acquire(record.id, "c3")


async def test_image_without_layers_is_an_empty_directory(store: ImageStore) -> None:
    record = await add_image(store, "scratch:1")
    (directory,) = await store.acquire(record.id, "c")
    assert os.listdir(directory) == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


async def test_everything_survives_a_restart(store: ImageStore) -> None:
    record = await add_image(store, "pinned:1", BASE)
    await store.acquire(record.id, "c")
    await store.remove("pinned:1")
    record = await add_image(store, "p:1", TOP)
    store.close()
    again = await ImageStore.open(store.root, pinned=("*/p:*",))
    try:
        assert [image.id for image in again.list_images()] == [record.id]
        assert again.list_images()[0].pinned
        await again.reconcile(frozenset({"c"}))
        assert layers_on_disk(again) == 2
        await again.reconcile(frozenset())
        assert layers_on_disk(again) == 1
    finally:
        again.close()


async def test_rests_of_a_crash_are_removed(store: ImageStore) -> None:
    await add_image(store, "app:1", BASE)
    (store.root / "layers" / ("0" * 64) / "root/d").mkdir(parents=True)
    (store.root / "staging/pull-dead/layer0/root").mkdir(parents=True)
    (store.root / "blobs/sha256/.x.new").write_bytes(b"")
    space = await store.begin_pull()
    await store.reconcile(frozenset())
    assert layers_on_disk(store) == 1
    assert os.listdir(store.root / "staging") == [space.staging.name]
    await space.close()
    assert os.listdir(store.root / "staging") == []
    assert len(os.listdir(store.root / "blobs/sha256")) == 2


async def test_image_that_lost_content_is_forgotten(store: ImageStore) -> None:
    lost_layer = await add_image(store, "a:1", BASE)
    lost_config = await add_image(store, "b:1", TOP)
    (store.root / "layers" / lost_layer.layers[0].chain_id[7:]).rename(store.root / "staging/x")
    (store.root / "blobs/sha256" / lost_config.id[7:]).unlink()
    store.close()
    again = await ImageStore.open(store.root)
    try:
        assert again.find(lost_config.id) is None
        await again.reconcile(frozenset())
        assert again.list_images() == ()
        assert layers_on_disk(again) == 0
    finally:
        again.close()


async def test_old_open_directories_are_closed_to_others(store: ImageStore) -> None:
    store.close()
    for path in (store.root, store.root / "layers"):
        path.chmod(0o755)
    again = await ImageStore.open(store.root)
    again.close()
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.root / "layers").stat().st_mode) == 0o700


async def test_second_pull_waits_for_the_layer_of_the_first(store: ImageStore) -> None:
    commit = commit_of("app:1", (BASE,))
    chain_id = commit.layers[0].chain_id
    first, second = await store.begin_pull(), await store.begin_pull()
    assert (await first.claim((chain_id,)))[chain_id] is ClaimState.YOURS
    assert (await second.claim((chain_id,)))[chain_id] is ClaimState.BUSY
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(second.wait_claim(chain_id))
        assert await publish_missing(first, commit, (BASE,)) == 1
    assert waiting.result() is ClaimState.PRESENT
    await first.close()
    await second.commit(commit)
    await second.close()
    assert store.find("app:1") is not None


async def test_second_pull_takes_over_when_the_first_fails(store: ImageStore) -> None:
    first, second = await store.begin_pull(), await store.begin_pull()
    chain_id = commit_of("app:1", (BASE,)).layers[0].chain_id
    await first.claim((chain_id,))
    await second.claim((chain_id,))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(second.wait_claim(chain_id))
        await first.close()
    assert waiting.result() is ClaimState.YOURS
    await second.close()


async def test_layer_that_a_pull_wants_is_not_removed_under_it(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    space = await store.begin_pull()
    await space.claim((record.layers[0].chain_id,))
    await store.remove("app:1")
    assert layers_on_disk(store) == 1
    assert await space.commit(commit_of("app:1", (BASE,))) is store.find("app:1")
    await space.close()


async def test_worker_cannot_publish_what_is_not_its_own(store: ImageStore) -> None:
    space = await store.begin_pull()
    chain_id = commit_of("app:1", (BASE,)).layers[0].chain_id
    summary = LayerSummary(kind="extract")
    for name in ("../x", "", "a/b", "x" * 65):
        with pytest.raises(Internal, match="impossible"):
            await space.publish_layer(name, chain_id, summary)
    with pytest.raises(Internal, match="not claimed"):
        await space.publish_layer("layer0", chain_id, summary)
    with pytest.raises(Internal, match="lacks the layers"):
        await space.commit(commit_of("app:1", (BASE,)))
    assert await space.config_bytes("sha256:" + "0" * 64) is None
    await space.close()


async def test_usage_counts_layers_and_documents(store: ImageStore) -> None:
    await add_image(store, "first:1", layer("f", b"x"))
    await store.remove("first:1")
    before = await store.filesystem_usage()
    database = store.bytes_by_kind()["database"]
    await add_image(store, "app:1", layer("f", b"x" * 10_000))
    usage = await store.filesystem_usage()
    assert usage.mountpoint == str(store.root)
    assert usage.used_bytes - before.used_bytes > 10_000
    assert usage.inodes_used - before.inodes_used >= 4
    await store.remove("app:1")
    after = await store.filesystem_usage()
    database = store.bytes_by_kind()["database"] - database  # its log grows
    assert after.used_bytes == before.used_bytes + database
    assert after.inodes_used == before.inodes_used


async def test_collecting_spares_images_containers_and_running_pulls(store: ImageStore) -> None:
    used = await add_image(store, "used:1", layer("used"))
    await add_image(store, "kept:1", BASE)
    await store.acquire(used.id, "c")
    await store.remove(used.id)
    commit = commit_of("failed:1", (TOP,))
    failed, running = await store.begin_pull(), await store.begin_pull()
    await publish_missing(failed, commit, (TOP,))
    await running.claim((commit.layers[0].chain_id,))
    (running.staging / "layer").mkdir()
    await failed.close()
    assert await store.collect() == 0
    assert layers_on_disk(store) == 3
    (store.root / "staging/rest").mkdir()
    await running.close()
    assert await store.collect() == 2
    assert layers_on_disk(store) == 2
    assert store.find("kept:1") is not None
    assert os.listdir(store.root / "staging") == []


async def test_ambiguous_id_prefix_is_an_error(store: ImageStore) -> None:
    prefixes: dict[str, int] = {}
    for number in range(400):
        config = commit_of("x:1", (layer(f"f{number}"),)).config_digest[7:11]
        if config in prefixes:
            break
        prefixes[config] = number
    else:
        pytest.fail("no two ids share four digits")
    await add_image(store, "a:1", layer(f"f{prefixes[config]}"))
    await add_image(store, "b:1", layer(f"f{number}"))
    with pytest.raises(InvalidArgument, match="2 ids"):
        store.find(config)


async def test_a_pull_looks_into_its_own_layers_alone(store: ImageStore) -> None:
    record = await add_image(store, "app:1", BASE)
    chain_id = record.layers[0].chain_id
    space = await store.begin_pull()
    with pytest.raises(Internal, match="not its own"):
        await space.look_below([chain_id], lambda below: below.exists(b"base"))
    await space.claim((chain_id,))
    assert await space.look_below([chain_id], lambda below: below.exists(b"base"))
    assert not await space.look_below([], lambda below: below.exists(b"base"))
    (store.root / "layers" / chain_id.partition(":")[2] / "layer.json").unlink()
    with pytest.raises(FileNotFoundError):
        await space.look_below([chain_id], lambda below: below.exists(b"base"))
    await space.close()


@pytest.mark.parametrize(("reason", "left"), [("DiskFull", 0), ("LayerTooLarge", 1)])
async def test_full_disk_ends_what_is_kept_of_downloads(
    store: ImageStore, reason: str, left: int
) -> None:
    (store.partial_directory / f"sha256-{'0' * 64}").write_bytes(b"x" * 5000)
    before = (await store.filesystem_usage()).used_bytes
    assert store.partial_bytes() >= 5000
    with pytest.raises(ResourceExhausted):
        async with await store.begin_pull():
            raise ResourceExhausted("x", "is full", reason=reason)
    assert len(os.listdir(store.partial_directory)) == left
    freed = before - (await store.filesystem_usage()).used_bytes
    assert (freed > 0) is (left == 0)
