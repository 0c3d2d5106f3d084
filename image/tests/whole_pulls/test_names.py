"""What a name means: digests and tags, all tags, unchanged tags, moved tags."""

import asyncio
import random

import pytest

from image.errors import InvalidArgument, NotFound
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedImage, config_of, layer_of
from image.tests.whole_pulls.conftest import PullSite


def push(registry: FakeRegistry, tag: str, word: bytes = b"1") -> PushedImage:
    return registry.push_image("team/app", tag, layers=[layer_of({"word": word})])


async def test_digest_wins_over_tag_and_is_what_is_asked_for(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.1: a digest wins over a tag."""
    image = push(registry, "v1")
    push(registry, "v2", b"2")
    record = await site.pull(f"{image.name}:v2@{image.digest}")
    assert record.id == image.config_digest
    asked = [seen.path.rpartition("/")[2] for seen in registry.seen("/manifests/")]
    assert asked == [image.digest]
    assert record.repo_tags == ()
    assert record.repo_digests == (f"{image.name}@{image.digest}",)


async def test_name_alone_pulls_all_tags_of_all_pages(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.2: all tags of a repository, page by page."""
    images = [push(registry, tag, tag.encode()) for tag in ("v1", "v2", "v3")]
    registry.routes.page_size = 2
    name = images[0].name
    pulled = await site.puller.pull_all_tags(name, on_event=site.events.append)
    assert [record.id for record in pulled.records] == [image.config_digest for image in images]
    assert pulled.pulled_new
    again = await site.puller.pull_all_tags(name)
    assert not again.pulled_new
    push(registry, "v2", b"moved")
    assert (await site.puller.pull_all_tags(name)).pulled_new
    with pytest.raises(InvalidArgument, match="leave out tag and digest"):
        await site.puller.pull_all_tags(f"{name}:v1")


async def test_tag_that_fails_ends_the_pull_of_all(site: PullSite, registry: FakeRegistry) -> None:
    """Pull rule 1.2: the first tag that fails ends it."""
    for tag in ("v1", "v2", "v3"):
        push(registry, tag, tag.encode())
    registry.add_fault(Fault(kind="status", on="manifest", status=404, only="v2"))
    name = f"{registry.host}/team/app"
    with pytest.raises(NotFound, match="app:v2"):
        await site.puller.pull_all_tags(name)
    assert [record.repo_tags for record in site.store.list_images()] == [(f"{name}:v1",)]


async def test_repository_that_is_unknown_has_no_tags_to_pull(
    site: PullSite, registry: FakeRegistry
) -> None:
    registry.add_fault(Fault(kind="status", on="tags", status=404))
    with pytest.raises(NotFound, match="tags of"):
        await site.puller.pull_all_tags(f"{registry.host}/team/app")


async def test_unchanged_tag_costs_one_head_request(site: PullSite, registry: FakeRegistry) -> None:
    """Pull rule 1.3: HEAD saves work for an unchanged tag."""
    image = push(registry, "v1")
    first = await site.pull(f"{image.name}:v1")
    before = len(registry.requests)
    assert await site.pull(f"{image.name}:v1") == first
    assert [seen.method for seen in registry.requests[before:]] == ["HEAD"]
    assert site.statuses()[-1].startswith("Status: Image is up to date for")


@pytest.mark.parametrize("trouble", ["unknown method", "no digest", "wrong digest"])
async def test_registry_that_does_not_answer_head_is_asked_by_get(
    site: PullSite, registry: FakeRegistry, trouble: str
) -> None:
    """Pull rule 1.3: HEAD never decides alone."""
    image = push(registry, "v1")
    first = await site.pull(f"{image.name}:v1")
    digest = (("Docker-Content-Digest", "sha256:" + "0" * 64),) if trouble[0] == "w" else ()
    status = 405 if trouble == "unknown method" else 200
    registry.add_fault(Fault(kind="status", on="head manifest", status=status, headers=digest))
    assert (await site.pull(f"{image.name}:v1")).id == first.id
    assert [seen.method for seen in registry.seen("/manifests/")] == ["GET", "HEAD", "GET"]


async def test_image_of_another_platform_under_the_tag_is_no_reason_to_call_it_unchanged(
    site: PullSite, registry: FakeRegistry
) -> None:
    layer = layer_of({"a": b"1"})
    entries = []
    for machine in ("amd64", "arm64"):
        config = config_of([layer], architecture=machine)
        pushed = registry.push_image("team/app", "", layers=[layer], config=config)
        entries.append((pushed, {"os": "linux", "architecture": machine}))
    registry.push_index("team/app", "v1", entries)
    name = f"{registry.host}/team/app:v1"
    other = await site.pull(name, platform="linux/arm64")
    usual = await site.pull(name)
    assert (other.config.architecture, usual.config.architecture) == ("arm64", "amd64")


async def test_config_that_is_here_is_not_fetched_again_and_the_new_tag_is_added(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.11: a known config makes a pull a new name."""
    image = push(registry, "v1")
    await site.pull(f"{image.name}:v1")
    push(registry, "v2")
    before = len(registry.seen("/blobs/"))
    record = await site.pull(f"{image.name}:v2")
    assert record.repo_tags == (f"{image.name}:v1", f"{image.name}:v2")
    assert len(registry.seen("/blobs/")) == before


async def test_moved_tag_leaves_the_old_image_by_its_digest(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.20: a moved tag keeps the old image by digest."""
    old = push(registry, "v1")
    await site.pull(f"{old.name}:v1")
    new = push(registry, "v1", b"2")
    await site.pull(f"{new.name}:v1")
    kept, current = site.store.find(old.config_digest), site.store.find(f"{new.name}:v1")
    assert kept is not None
    assert (kept.repo_tags, kept.repo_digests) == ((), (f"{old.name}@{old.digest}",))
    assert current is not None
    assert current.id == new.config_digest


async def test_endpoint_that_served_an_image_is_recorded(
    site: PullSite, registry: FakeRegistry
) -> None:
    image = push(registry, "v1")
    site.write_hosts("a.test", f'[host."{registry.url}"]\n')
    record = await site.pull("a.test/team/app:v1")
    assert record.source == registry.url
    assert record.config_source == registry.url
    assert [layer.source for layer in record.layers] == [registry.url]
    assert record.id == image.config_digest


async def test_changed_hosts_toml_is_seen_by_the_next_pull_of_a_waiting_worker(
    site: PullSite, registry: FakeRegistry
) -> None:
    site.use(warm_worker_seconds=1000.0)
    images = [push(registry, tag, tag.encode()) for tag in ("v1", "v2")]
    await site.pull(f"{images[0].name}:v1")
    async with asyncio.timeout(30):
        while len(site.launcher.started) < 2:
            await asyncio.sleep(0)
    with FakeRegistry() as mirror:
        mirror.push_image("team/app", "v2", layers=images[1].layers)
        site.write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        assert (await site.pull(f"{images[1].name}:v2")).source == mirror.url


async def test_each_blob_is_recorded_with_the_endpoint_that_served_it(
    site: PullSite, registry: FakeRegistry
) -> None:
    layers = [layer_of({"a": b"1"}), layer_of({"b": random.Random(1).randbytes(300_000)})]
    image = registry.push_image("team/app", "v1", layers=layers)
    with FakeRegistry() as mirror:
        mirror.push_image("team/app", "v1", layers=layers)
        mirror.add_fault(Fault(kind="status", status=404, only=layers[0].digest))
        mirror.add_fault(Fault(kind="reset", at_byte=150_000, only=layers[1].digest))
        site.write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        record = await site.pull(f"{image.name}:v1")
        sources = [layer.source for layer in record.layers]
        assert (record.source, record.config_source) == (mirror.url, mirror.url)
        assert sources == [registry.url, f"{mirror.url}, {registry.url}"]
    registry.push_image("team/app", "v2", layers=layers)
    again = await site.pull(f"{image.name}:v2")  # nothing is fetched, and nothing forgotten
    assert [layer.source for layer in again.layers] == sources


async def test_dead_mirror_costs_the_question_for_a_tag_one_attempt(
    site: PullSite, registry: FakeRegistry
) -> None:
    image = push(registry, "v1")
    with FakeRegistry() as mirror:
        mirror.push_image("team/app", "v1", layers=image.layers)
        site.write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        await site.pull(f"{image.name}:v1")
        before = len(mirror.requests)
        mirror.add_fault(Fault(kind="hang up", on="head manifest", times=-1))
        mirror.add_fault(Fault(kind="reset", on="manifest", times=-1))
        await site.pull(f"{image.name}:v1")
        # a second HEAD is the connection pool's, which cannot know that the first connection was no stale one
        assert {seen.method for seen in mirror.requests[before:]} == {"HEAD"}
