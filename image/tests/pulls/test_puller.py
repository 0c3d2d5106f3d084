"""Tests of pulling with real worker processes, from the registry in this process."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from image.errors import InvalidArgument, NotFound, PermissionDenied
from image.model.records import RegistryAuth
from image.pulls.puller import Puller, PullEvent, PullSettings
from image.store.image_store import ImageStore
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage, layer_of
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, TaskKeeper


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry(auth="basic", username="u", password="S3CR3T") as registry:
        yield registry
    assert registry.violations == []


AUTH = RegistryAuth(username="u", password="S3CR3T")


class Site:
    """A store, a puller and what they started."""

    def __init__(self, store: ImageStore, certs: Path) -> None:
        self.store = store
        self.launcher = SubprocessLauncher()
        self.tasks = TaskKeeper()
        self.settings = PullSettings(registry_config_path=str(certs), platform="linux/amd64")
        self.puller = Puller(store, self.settings, self.launcher, self.tasks)


@pytest.fixture
async def site(tmp_path: Path, registry: FakeRegistry) -> AsyncIterator[Site]:
    # Credentials go over plain http only when hosts.toml says so.
    (tmp_path / "certs" / registry.host).mkdir(parents=True)
    (tmp_path / "certs" / registry.host / "hosts.toml").write_text(f'server = "{registry.url}"\n')
    site = Site(await ImageStore.open(tmp_path / "images"), tmp_path / "certs")
    yield site
    await site.tasks.wait_all()
    assert site.puller.running() == ()
    assert os.listdir(site.store.root / "staging") == []
    assert all(not os.path.exists(f"/proc/{worker.pid}") for worker in site.launcher.started)
    site.store.close()


def push(registry: FakeRegistry, name: str = "team/app", tag: str = "v1") -> PushedImage:
    layers = [layer_of({"base": b"1" * 5000}), layer_of({f"top-{name}": b"2"})]
    return registry.push_image(name, tag, layers=layers)


async def test_image_is_pulled_and_usable(site: Site, registry: FakeRegistry) -> None:
    image = push(registry)
    events: list[PullEvent] = []
    record = await site.puller.pull(f"{image.name}:v1", auth=AUTH, on_event=events.append)
    assert record.id == image.config_digest
    assert record.repo_tags == (f"{image.name}:v1",)
    assert record.repo_digests == (f"{image.name}@{image.digest}",)
    assert record is site.store.find(record.id)
    directories = await site.store.acquire(record.id, "c")
    assert [os.listdir(path) for path in directories] == [["top-team"], ["base"]]
    assert events[0].status == "Pulling from team/app"
    assert "S3CR3T" not in repr(site.launcher.seen)


async def test_equal_pulls_are_joined(site: Site, registry: FakeRegistry) -> None:
    image = push(registry)
    name = f"{image.name}:v1"
    records = await asyncio.gather(*(site.puller.pull(name, auth=AUTH) for _ in range(5)))
    assert len({record.id for record in records}) == 1
    assert len(site.launcher.started) == 1


async def test_layer_that_two_images_share_is_downloaded_once(
    site: Site, registry: FakeRegistry
) -> None:
    images = [push(registry, name) for name in ("a/x", "b/x", "c/x")]
    await asyncio.gather(*(site.puller.pull(f"{i.name}:v1", auth=AUTH) for i in images))
    base = images[0].layers[0].digest
    assert (
        sum(
            seen.path.endswith(base) and "authorization" in seen.headers
            for seen in registry.requests
        )
        == 1
    )
    assert len(site.store.list_images()) == 3


async def test_present_digest_needs_no_worker(site: Site, registry: FakeRegistry) -> None:
    image = push(registry)
    by_digest = f"{image.name}@{image.digest}"
    record = await site.puller.pull(by_digest, auth=AUTH)
    assert record.repo_tags == ()
    registry.add_fault(Fault(kind="status", on="manifest", status=404, times=-1))
    assert await site.puller.pull(by_digest, on_event=lambda event: None) is record
    assert len(site.launcher.started) == 1


async def test_failures_reach_the_caller(site: Site, registry: FakeRegistry) -> None:
    image = push(registry)
    with pytest.raises(InvalidArgument):
        await site.puller.pull("no such reference!")
    with pytest.raises(InvalidArgument):
        await site.puller.pull(f"{image.name}:v1", platform="what")
    with pytest.raises(NotFound):
        await site.puller.pull(f"{image.name}:absent", auth=AUTH)
    with pytest.raises(PermissionDenied):
        await site.puller.pull(f"{image.name}:v1", auth=RegistryAuth(username="u", password="x"))
    assert site.store.list_images() == ()


async def test_pull_ends_when_the_last_waiter_leaves(site: Site, registry: FakeRegistry) -> None:
    image = push(registry)
    registry.add_fault(Fault(kind="stall", on="blob", at_byte=10, only=image.layers[0].digest))
    started = asyncio.Event()

    def watch(event: PullEvent) -> None:
        if event.status == "Downloading" and event.current == 10:
            started.set()

    name = f"{image.name}:v1"
    loop = asyncio.get_running_loop()
    first = loop.create_task(site.puller.pull(name, auth=AUTH, on_event=watch))
    async with asyncio.timeout(30):
        await started.wait()
    second = loop.create_task(site.puller.pull(name, auth=AUTH))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert site.puller.running() == (name,)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert site.puller.running() == ()
    await site.tasks.wait_all()
    record = await site.puller.pull(name, auth=AUTH)
    assert record.id == image.config_digest


def test_daemon_side_imports_nothing_heavy() -> None:
    code = (
        "import sys, image.pulls.puller; heavy = {'aiohttp', 'isal', 'zstandard', 'grpc', 'image.worker.pull_job'};"
        " sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    place = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=place)
