"""Originals come from the registry byte for byte, by a real worker, and nothing of them stays."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from image.errors import NotFound
from image.exchange.staged_originals import blob_place
from image.model.digest import matches_digest, parse_digest
from image.pulls.originals import original_reference
from image.pulls.puller import Puller, PullSettings
from image.store.image_store import ImageStore
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, TaskKeeper
from image.tests.store.image_making import add_image, layer


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry
    assert registry.violations == []


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[ImageStore, Puller]]:
    store, tasks = await ImageStore.open(tmp_path / "images"), TaskKeeper()
    settings = PullSettings(registry_config_path=str(tmp_path / "certs"), platform="linux/amd64")
    puller = Puller(store, settings, SubprocessLauncher(), tasks)
    yield store, puller
    await puller.close()
    await tasks.wait_all()
    store.close()


async def test_layers_are_fetched_as_the_registry_has_them(
    site: tuple[ImageStore, Puller], registry: FakeRegistry
) -> None:
    store, puller = site
    pushed = registry.push_image(
        "team/app", "v1", layers=[layer_of({"a": b"1"}), layer_of({"b": b"2"})]
    )
    record = await puller.pull(f"{pushed.name}:v1")
    space = await store.begin_pull()
    try:
        kept = (record.layers[0].digest,)
        await puller.originals.fetch(record, f"{pushed.name}:v1", space, auth=None, kept=kept)
        assert not blob_place(space.staging, record.layers[0].digest).exists()
        second = record.layers[1]
        content = blob_place(space.staging, second.digest).read_bytes()
        assert len(content) == second.size_bytes
        assert matches_digest(content, parse_digest(second.digest))
    finally:
        await space.close()
    assert os.listdir(store.root / "staging") == []


async def test_what_the_registry_no_longer_has_is_told(
    site: tuple[ImageStore, Puller], registry: FakeRegistry
) -> None:
    store, puller = site
    pushed = registry.push_image("team/app", "v1", layers=[layer_of({"a": b"1"})])
    record = await puller.pull(f"{pushed.name}:v1")
    registry.add_fault(Fault(kind="status", on="manifest", status=404))
    space = await store.begin_pull()
    try:
        async with asyncio.timeout(60):
            with pytest.raises(NotFound):
                await puller.originals.fetch(record, "", space, auth=None)
    finally:
        await space.close()


async def test_the_manifest_is_asked_in_the_repository_that_was_named(tmp_path: Path) -> None:
    store = await ImageStore.open(tmp_path)
    try:
        record = await add_image(store, "a.test/x:1", layer("f"))
    finally:
        store.close()
    digest = record.manifest_digest
    assert str(original_reference(record, "b.test/y:2")) == f"b.test/y@{digest}"
    assert str(original_reference(record, "")) == f"a.test/x@{digest}"
