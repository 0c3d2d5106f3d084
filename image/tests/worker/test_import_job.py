"""Archives are listed and imported by a real worker, packed or not."""

import gzip
from pathlib import Path

import pytest

from image.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from image.pulls.puller import Puller, PullSettings
from image.store.image_store import ImageStore
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, TaskKeeper
from image.tests.worker.test_archive_client import oci


async def with_puller(directory: Path, limit: int = 2**30) -> tuple[ImageStore, Puller, TaskKeeper]:
    tasks = TaskKeeper()
    store = await ImageStore.open(directory / "images")
    settings = PullSettings(
        registry_config_path="/nowhere", platform="linux/amd64", max_layer_bytes=limit
    )
    return store, Puller(store, settings, SubprocessLauncher(), tasks), tasks


@pytest.mark.parametrize("packed", [False, True])
async def test_an_archive_becomes_an_image(tmp_path: Path, packed: bool) -> None:
    path = oci(tmp_path / "archive")
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    store, puller, tasks = await with_puller(tmp_path)
    try:
        listing = await puller.archive_images(str(path), "r.test/app")
        (one,) = listing.images
        assert one.names == ("r.test/app:latest",)
        record = await puller.import_image(listing.path, one.entry, one.names[0])
        assert record.repo_tags == ("r.test/app:latest",)
        assert (record.id, record.repo_digests) == (one.id, (f"r.test/app@{one.target}",))
        (directory,) = await store.acquire(record.id, "c")
        assert [one.name for one in directory.iterdir()] == ["file"]
    finally:
        await puller.close()
        await tasks.wait_all()
        store.close()


async def test_bad_archives_are_refused_with_the_cause(tmp_path: Path) -> None:
    store, puller, tasks = await with_puller(tmp_path, limit=5000)
    path = tmp_path / "archive"
    try:
        path.write_bytes(b"\x1f\x8bnonsense")
        with pytest.raises(FailedPrecondition, match="damaged"):
            await puller.archive_images(str(path), "")
        path.write_bytes(gzip.compress(bytes(6000)))
        with pytest.raises(ResourceExhausted, match="larger than 5000"):
            await puller.archive_images(str(path), "")
        with pytest.raises(InvalidArgument, match="--name"):
            await puller.archive_images(str(oci(path)), "")
    finally:
        await puller.close()
        await tasks.wait_all()
        store.close()
