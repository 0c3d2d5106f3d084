"""Bytes that were fetched are not fetched again: after a kill, and by pulls that want the same blob."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from image.errors import Unavailable
from image.store.image_store import ImageStore
from image.store.partial_blobs import PartialLimits, partial_name
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage, PushedLayer, layer_of
from image.tests.whole_pulls.conftest import PullSite
from image.tests.whole_pulls.test_layers import AMD64, push_listed

BIG = layer_of({"noise": random.Random(2).randbytes(6_000_000)})
"""More than is read ahead in memory."""
SIZE = len(BIG.blob)
SMALL = layer_of({"a": b"1"})


def file_of(site: PullSite, layer: PushedLayer = BIG) -> Path:
    return site.store.partial_directory / partial_name(layer.digest)


def kept(site: PullSite) -> list[str]:
    return os.listdir(site.store.partial_directory)


def offsets(registry: FakeRegistry, layer: PushedLayer = BIG) -> list[int]:
    """Give the bytes at which the requests for a blob began."""
    ranges = [seen.headers.get("range", "bytes=0-") for seen in registry.seen(layer.digest)]
    return [int(text.removeprefix("bytes=").removesuffix("-")) for text in ranges]


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.01)


def has_bytes(site: PullSite, count: int, layer: PushedLayer = BIG) -> Callable[[], bool]:
    path = file_of(site, layer)
    return lambda: path.exists() and path.stat().st_size >= count


async def kill_worker_at(site: PullSite, registry: FakeRegistry, name: str, byte: int) -> None:
    """Pull until so many bytes of BIG are here, then kill the worker."""
    registry.add_fault(Fault(kind="stall", at_byte=byte, only=BIG.digest))
    async with asyncio.TaskGroup() as group:
        pulling = group.create_task(died(site, name))
        await until(has_bytes(site, byte))
        site.launcher.started[-1].kill()
        await pulling


async def died(site: PullSite, name: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await site.pull(name)
    assert caught.value.reason == "WorkerDied"


@pytest.mark.parametrize("byte", [1, 4_000_000, SIZE - 1])
async def test_killed_worker_costs_no_byte(
    site: PullSite, registry: FakeRegistry, byte: int
) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG])
    await kill_worker_at(site, registry, f"{image.name}:v1", byte)
    assert kept(site) == [partial_name(BIG.digest)]
    assert site.store.partial_bytes() >= byte
    await site.pull(f"{image.name}:v1")
    assert offsets(registry) == [0, byte]
    assert kept(site) == []
    assert site.store.resumed_bytes == byte


async def test_worker_killed_after_the_last_byte_costs_no_request(
    site: PullSite, registry: FakeRegistry
) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG])
    name = push_listed(registry, image)
    registry.add_fault(Fault(kind="stall", only=image.config_digest))
    async with asyncio.TaskGroup() as group:
        pulling = group.create_task(died(site, name))
        await until(has_bytes(site, SIZE))
        site.launcher.started[-1].kill()
        await pulling
    await site.pull(name)
    assert offsets(registry) == [0]
    assert kept(site) == []


async def test_new_daemon_goes_on_where_the_old_one_was(
    site: PullSite, registry: FakeRegistry
) -> None:
    image = registry.push_image("team/app", "v1", layers=[SMALL, BIG])
    await kill_worker_at(site, registry, f"{image.name}:v1", 3_000_000)
    site.store.close()
    site.store = await ImageStore.open(site.store.root)
    await site.store.reconcile(frozenset())
    site.use()
    await site.pull(f"{image.name}:v1")
    assert offsets(registry) == [0, 3_000_000]
    assert kept(site) == []


@pytest.mark.parametrize(
    ("found", "begun"),
    [
        (b"x" * 1000, [1000, 0]),
        (b"x" * SIZE, [0]),
        (BIG.blob[:1000] + b"x", [1001, 0]),
        (BIG.blob + b"x", [0]),
    ],
    ids=["wrong", "all wrong", "wrong at the end", "too long"],
)
async def test_wrong_file_is_found_out(
    site: PullSite, registry: FakeRegistry, found: bytes, begun: list[int]
) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG])
    file_of(site).write_bytes(found)
    record = await site.pull(f"{image.name}:v1")
    assert record.layers[0].digest == BIG.digest
    assert offsets(registry) == begun
    assert kept(site) == []


async def test_link_in_the_place_of_a_file_is_not_followed(
    site: PullSite, registry: FakeRegistry, tmp_path: Path
) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG])
    (tmp_path / "secret").write_bytes(b"kept")
    file_of(site).symlink_to(tmp_path / "secret")
    await site.pull(f"{image.name}:v1")
    assert (tmp_path / "secret").read_bytes() == b"kept"
    assert offsets(registry) == [0]


def two_chains(registry: FakeRegistry) -> tuple[PushedImage, PushedImage]:
    """Push two images that have BIG in chains of their own."""
    first = registry.push_image("team/one", "v1", layers=[BIG, layer_of({"x": b"1"})])
    second = registry.push_image("team/two", "v1", layers=[SMALL, BIG])
    return first, second


async def test_blob_in_two_chains_is_fetched_once(site: PullSite, registry: FakeRegistry) -> None:
    first, second = two_chains(registry)
    registry.add_fault(Fault(kind="stall", at_byte=2_000_000, only=BIG.digest))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(site.pull(f"{first.name}:v1"))
        await until(has_bytes(site, 2_000_000))
        group.create_task(site.pull(f"{second.name}:v1"))
        assert await asyncio.to_thread(registry.wait_seen, SMALL.digest)
        registry.released.set()
    assert offsets(registry) == [0, 2_000_000]
    assert len(site.store.list_images()) == 2
    assert kept(site) == []


async def test_pull_that_waits_takes_over_when_the_other_dies(
    site: PullSite, registry: FakeRegistry
) -> None:
    first, second = two_chains(registry)
    registry.add_fault(Fault(kind="stall", at_byte=2_000_000, only=BIG.digest))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(died(site, f"{first.name}:v1"))
        await until(has_bytes(site, 2_000_000))
        group.create_task(site.pull(f"{second.name}:v1"))
        assert await asyncio.to_thread(registry.wait_seen, SMALL.digest)
        site.launcher.started[0].kill()
    assert offsets(registry) == [0, 2_000_000]
    assert not file_of(site).exists()


async def test_pull_that_is_cancelled_while_it_waits_leaves_the_other_alone(
    site: PullSite, registry: FakeRegistry
) -> None:
    first, second = two_chains(registry)
    registry.add_fault(Fault(kind="stall", at_byte=2_000_000, only=BIG.digest))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(site.pull(f"{first.name}:v1"))
        await until(has_bytes(site, 2_000_000))
        waiting = group.create_task(site.pull(f"{second.name}:v1"))
        assert await asyncio.to_thread(registry.wait_seen, SMALL.digest)
        waiting.cancel()
        await asyncio.wait([waiting])
        registry.released.set()
    await site.tasks.wait_all()
    assert offsets(registry) == [0, 2_000_000]
    assert not file_of(site).exists()


async def test_early_download_never_holds_up_who_makes_the_layer(
    site: PullSite, registry: FakeRegistry
) -> None:
    site.use(max_downloads=1)
    early = registry.push_image("team/app", "", layers=[BIG, layer_of({"x": b"1"})])
    maker = registry.push_image("team/two", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="stall", only=early.config_digest))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        pulling = group.create_task(site.pull(push_listed(registry, early)))
        assert await asyncio.to_thread(registry.wait_seen, BIG.digest)
        await site.pull(f"{maker.name}:v1")
        assert not pulling.done()
        registry.released.set()
    assert len(site.store.list_images()) == 2
    assert offsets(registry) == [0]
    assert kept(site) == []


async def test_blob_that_an_image_has_twice_is_fetched_once(
    site: PullSite, registry: FakeRegistry
) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG, SMALL, BIG, SMALL])
    record = await site.pull(f"{image.name}:v1")
    assert len(record.layers) == 4
    assert (offsets(registry), offsets(registry, SMALL)) == ([0], [0])
    assert kept(site) == []


async def test_pulls_of_the_same_blobs_in_other_orders_never_wait_for_ever(
    site: PullSite, registry: FakeRegistry
) -> None:
    site.use(max_downloads=2)
    layers = [layer_of({"x": random.Random(n).randbytes(300_000)}) for n in range(5)]
    names = []
    for turn in range(4):
        turned = layers[turn:] + layers[:turn]
        wanted = turned if turn % 2 else list(reversed(turned))
        image = registry.push_image("team/app", "", layers=wanted)
        registry.push_index("team/app", f"v{turn}", [(image, AMD64)])
        names.append(f"{image.name}:v{turn}")
    async with asyncio.timeout(100):
        await asyncio.gather(*(site.pull(name) for name in names))
    assert len(site.store.list_images()) == 4
    assert kept(site) == []


async def test_nothing_is_kept_when_the_settings_say_so(
    site: PullSite, registry: FakeRegistry
) -> None:
    site.store.close()
    site.store = await ImageStore.open(site.store.root, partial_limits=PartialLimits(max_bytes=0))
    site.use()
    image = registry.push_image("team/app", "v1", layers=[BIG])
    await kill_worker_at(site, registry, f"{image.name}:v1", 2_000_000)
    await site.tasks.wait_all()
    assert kept(site) == []
    await site.pull(f"{image.name}:v1")
    assert offsets(registry) == [0, 0]


async def test_old_and_strange_files_go_at_the_start(site: PullSite) -> None:
    file_of(site).write_bytes(b"x")
    os.utime(file_of(site), (0, 0))
    file_of(site, SMALL).write_bytes(b"x")
    (site.store.partial_directory / "strange").write_bytes(b"x")
    await site.store.reconcile(frozenset())
    assert kept(site) == [partial_name(SMALL.digest)]
    assert await site.store.drop_partials(dry_run=True) == site.store.partial_bytes() > 0
    assert await site.store.drop_partials() > 0
    assert kept(site) == []


async def test_unchanged_image_needs_no_files(site: PullSite, registry: FakeRegistry) -> None:
    image = registry.push_image("team/app", "v1", layers=[BIG])
    await site.pull(f"{image.name}:v1")
    file_of(site).write_bytes(BIG.blob)  # a daemon that died before it could delete it
    await site.pull(f"{image.name}:v1")
    assert kept(site) == []
