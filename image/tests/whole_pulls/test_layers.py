"""Layers of whole pulls: fetched beside the config, once, resumed, shared, and told step by step."""

import asyncio
import random

import pytest

from image.errors import FailedPrecondition, NotFound
from image.model.digest import digest_hex
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage, config_of, layer_of
from image.tests.whole_pulls.conftest import PullSite

NOISE = random.Random(1).randbytes(400_000)
BIG = layer_of({"noise": NOISE})
SMALL = layer_of({"a": b"1"})
AMD64 = {"os": "linux", "architecture": "amd64"}


def push_listed(registry: FakeRegistry, image: PushedImage) -> str:
    """Put an image behind an index that tells its platform, and give its name."""
    registry.push_index("team/app", "listed", [(image, AMD64)])
    return f"{registry.host}/team/app:listed"


async def test_layers_are_fetched_while_the_config_is_on_its_way(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.12: config and layers side by side."""
    image = registry.push_image("team/app", "v1", layers=[SMALL, BIG])
    registry.add_fault(Fault(kind="stall", only=image.config_digest))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        pulling = group.create_task(site.pull(push_listed(registry, image)))
        for digest in (image.config_digest, SMALL.digest, BIG.digest):
            assert await asyncio.to_thread(registry.wait_seen, digest)
        registry.released.set()
        assert (await pulling).id == image.config_digest
    assert len(registry.seen(BIG.digest)) == 1


async def test_failure_of_the_config_is_told_whatever_the_layers_do(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.12: the config's failure is told."""
    image = registry.push_image("team/app", "v1", layers=[SMALL, BIG])
    for digest in (SMALL.digest, BIG.digest, image.config_digest):
        registry.add_fault(Fault(kind="status", status=404, only=digest, times=-1))
    with pytest.raises(NotFound, match="error pulling image configuration") as caught:
        await site.pull(push_listed(registry, image))
    assert image.config_digest in caught.value.subject
    assert site.store.list_images() == ()


async def test_broken_transfer_goes_on_from_the_byte_reached(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.15: broken transfers resume."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="reset", at_byte=100_000, only=BIG.digest))
    await site.pull(f"{image.name}:v1")
    ranges = [seen.headers.get("range", "") for seen in registry.seen(BIG.digest)]
    assert ranges[0] == ""
    assert ranges[1].startswith("bytes=")


async def test_missing_length_is_fine(site: PullSite, registry: FakeRegistry) -> None:
    """Pull rule 1.15: a length is not needed."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="extra_bytes", at_byte=0, only=BIG.digest))
    await site.pull(f"{image.name}:v1")
    assert len(registry.seen(BIG.digest)) == 1


async def test_damaged_gzip_after_a_resumed_download_is_fetched_from_zero(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.16: a mismatch after a resume is retried from zero."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="reset", at_byte=100_000, only=BIG.digest))
    registry.add_fault(Fault(kind="wrong_bytes", at_byte=9, only=BIG.digest))
    record = await site.pull(f"{image.name}:v1")
    assert record.layers[0].digest == BIG.digest
    assert [bool(seen.headers.get("range")) for seen in registry.seen(BIG.digest)] == [
        False,
        True,
        False,
    ]


async def test_wrong_bytes_after_a_clean_download_are_final(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.16: a mismatch after a clean download is final."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="wrong_bytes", at_byte=1000, only=BIG.digest))
    with pytest.raises(FailedPrecondition) as caught:
        await site.pull(f"{image.name}:v1")
    assert caught.value.reason == "DigestMismatch"
    assert len(registry.seen(BIG.digest)) == 1


async def test_unknown_blob_is_not_asked_for_again(site: PullSite, registry: FakeRegistry) -> None:
    """Pull rule 1.16: what is not retried."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    registry.add_fault(Fault(kind="status", status=404, only=BIG.digest, times=-1))
    with pytest.raises(NotFound):
        await site.pull(f"{image.name}:v1")
    assert len(registry.seen(BIG.digest)) == 1


async def test_layer_that_two_pulls_want_is_fetched_once(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.17: a layer is made once."""
    names = []
    for word in (b"1", b"2", b"3"):
        layers = [BIG, layer_of({"word": word})]
        image = registry.push_image("team/app", "", layers=layers)
        registry.push_index("team/app", f"v{word.decode()}", [(image, AMD64)])
        names.append(f"{image.name}:v{word.decode()}")
    await asyncio.gather(*(site.pull(name) for name in names))
    assert len(registry.seen(BIG.digest)) == 1
    assert len(site.store.list_images()) == 3


async def test_layer_that_is_here_is_known_by_its_blob(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.18: blobs whose diff id is known are not fetched."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    await site.pull(f"{image.name}:v1")
    # schema 1 names no diff ids: only what the store remembers of the blob tells that it is here
    registry.push_schema1("team/old", "v1", layers=[BIG, SMALL])
    record = await site.pull(f"{registry.host}/team/old:v1")
    assert [layer.digest for layer in record.layers] == [BIG.digest, SMALL.digest]
    assert len(registry.seen(BIG.digest)) == 1


async def test_steps_are_told_in_the_words_of_docker(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.19: progress per layer and for the image."""
    image = registry.push_image("team/app", "v1", layers=[BIG])
    await site.pull(f"{image.name}:v1")
    told = site.statuses()
    assert told[0] == "Pulling from team/app"
    of_layer = [e.status for e in site.events if e.layer == digest_hex(BIG.digest)[:12]]
    assert of_layer[0] == "Waiting"
    assert of_layer[-1] == "Pull complete"
    ends = ["Verifying Checksum", "Download complete"]
    assert [word for word in of_layer if word in ends] == ends
    assert of_layer.index("Download complete") < of_layer.index("Pull complete")
    assert any(e.status == "Downloading" and e.total == len(BIG.blob) for e in site.events)
    assert f"Digest: {image.digest}" in told
    assert told[-1] == f"Status: Downloaded newer image for {image.name}:v1"
    registry.push_image("team/app", "v2", layers=[BIG])
    site.events.clear()
    await site.pull(f"{image.name}:v2")
    assert "Already exists" in site.statuses()


async def test_foreign_layer_is_taken_from_one_that_is_here(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.21: a foreign layer that is here."""
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    ours = registry.push_image("team/loaded", "v1", layers=[SMALL])
    await site.pull(f"{ours.name}:v1")
    hidden = layer_of({"a": b"1"}, media_type=foreign)
    top = layer_of({"b": b"2"})
    config = config_of([hidden, top])
    image = registry.push_image("team/app", "v1", layers=[hidden, top], config=config)
    del registry.routes.repository("team/app").blobs[hidden.digest]
    record = await site.pull(f"{image.name}:v1")
    assert [layer.diff_id for layer in record.layers] == [hidden.diff_id, top.diff_id]
    assert not [seen for seen in registry.seen(hidden.digest) if "team/app" in seen.path]


async def test_foreign_layer_is_asked_of_the_registry_when_its_urls_are_no_use(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.21: urls, then the registry."""
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    hidden = layer_of({"a": b"1"}, media_type=foreign)
    image = registry.push_image("team/app", "v1", layers=[hidden])
    await site.pull(f"{image.name}:v1")
    assert len(registry.seen(hidden.digest)) == 1


async def test_downloads_keep_to_the_limits_of_the_node(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.17: concurrency is limited."""
    site.use(max_downloads=1, max_downloads_per_registry=1, max_bytes_per_second=100_000_000)
    names = []
    for number in range(3):
        layers = [layer_of({f"{number}-{n}": b"x"}) for n in range(3)]
        image = registry.push_image("team/app", f"v{number}", layers=layers)
        names.append(f"{image.name}:v{number}")
    await asyncio.gather(*(site.pull(name) for name in names))
    assert len(site.store.list_images()) == 3


async def test_dead_mirror_is_asked_once_for_all_pulls(
    site: PullSite, registry: FakeRegistry
) -> None:
    with FakeRegistry() as mirror:
        mirror.add_fault(Fault(kind="reset", on="manifest", times=-1))
        for tag in ("v1", "v2"):
            registry.push_image("team/app", tag, layers=[layer_of({tag: b"1"})])
        site.write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        for tag in ("v1", "v2"):
            record = await site.pull(f"{registry.host}/team/app:{tag}")
            assert record.source == registry.url
        assert len(mirror.requests) == 1


async def test_warm_worker_serves_the_next_pull(site: PullSite, registry: FakeRegistry) -> None:
    site.use(warm_worker_seconds=1000.0)
    names = []
    for tag in ("v1", "v2"):
        registry.push_image("team/app", tag, layers=[layer_of({tag: b"1"})])
        names.append(f"{registry.host}/team/app:{tag}")
    await site.pull(names[0])
    async with asyncio.timeout(30):
        while len(site.launcher.started) < 2:
            await asyncio.sleep(0)
    assert (await site.pull(names[1])).repo_tags == (names[1],)
