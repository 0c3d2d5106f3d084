"""Damage is told with images and containers, and repaired without touching what runs."""

from dataclasses import replace
from typing import cast

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_fsck import check_images
from cri.tests.admin.conftest import APP, BASE, TWO, WEB, Site
from image.errors import NotFound
from image.model.digest import digest_hex, parse_digest
from image.model.records import ARCHIVE
from image.store.fsck import Damage, Item


def spoil(site: Site, name: str) -> None:
    """Damage the config of an image, which no other has."""
    record = site.image(name)
    root = site.parts.store.root
    (root / "blobs" / "sha256" / digest_hex(parse_digest(record.id))).write_bytes(b"{}")


def spoil_layer(site: Site, name: str) -> None:
    """Damage the topmost layer of an image."""
    chain = site.image(name).layers[-1].chain_id
    place = site.parts.store.root / "layers" / digest_hex(parse_digest(chain))
    (place / "root/two").write_bytes(b"?" * 3000)


async def told(site: Site, *, repair: bool = False) -> list[dict[str, object]]:
    lines = [line async for line in check_images(site.parts, Arguments({"repair": repair}))]
    return [line for line in lines if line["event"] != "progress"]


async def test_a_whole_store_is_told_so(site: Site) -> None:
    (last,) = await told(site)
    assert (last["event"], last["damaged"], last["checked"]) == ("done", 0, 7)


async def test_damage_names_images_and_containers(site: Site) -> None:
    site.use(site.image(APP))
    spoil(site, APP)
    damage, last = await told(site)
    assert (damage["kind"], damage["images"]) == ("config", [APP])
    assert damage["used_by"] == ["default/web/app"]
    assert last["damaged_images"] == 1


async def test_a_used_layer_is_replaced_for_new_containers_only(site: Site) -> None:
    record = site.image(WEB)
    store = site.parts.store
    (root, *_) = await store.acquire(record.id, "running")
    spoil_layer(site, WEB)
    site.puller.renewed = (WEB, (BASE, TWO))
    site.puller.go.set()
    damage, repair, last = await told(site, repair=True)
    assert str(damage["cause"]).startswith("its file 'two' has another ")
    assert (repair["image"], repair["ok"]) == (WEB, True)
    assert last["repaired_images"] == 1
    (good, *_) = await store.acquire(record.id, "new")
    assert (good / "two").read_bytes() == b"2" * 3000
    assert good == root  # the same place by name; what runs holds on to what it has mounted
    (kept,) = (store.root / "replaced").iterdir()
    assert (kept / "root/two").read_bytes() == b"?" * 3000
    await store.release("running")
    assert list((store.root / "replaced").iterdir()) == []
    assert (await told(site))[0]["damaged"] == 0


async def test_a_layer_that_a_pull_wants_is_left_for_later(site: Site) -> None:
    record = site.image(WEB)
    space = await site.parts.store.begin_pull()
    await space.claim((record.layers[-1].chain_id,))
    spoil_layer(site, WEB)
    site.puller.go.set()
    _, repair, _ = await told(site, repair=True)
    assert "try again" in str(repair["cause"])
    assert site.parts.store.find(WEB) is not None
    await space.close()


async def test_an_index_is_made_again_without_a_pull(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[str] = []
    top = site.image(WEB).layers[-1].chain_id

    async def examine(item: Item) -> Damage | None:
        wrong = Damage("its index has another digest", is_of_index=True)
        return wrong if item.digest == top else None

    async def renew(chain_id: str) -> None:
        renewed.append(chain_id)

    monkeypatch.setattr(site.parts.store, "examine", examine)
    monkeypatch.setattr(site.parts.store, "renew", renew)
    _, repair, _ = await told(site, repair=True)
    assert (repair["image"], repair["ok"], renewed) == (WEB, True, [top])
    assert site.puller.asked == []


async def test_an_image_without_digest_is_pulled_by_its_manifests(site: Site) -> None:
    record = site.image(WEB)
    await site.parts.store.remove(record.repo_digests[0])
    spoil_layer(site, WEB)
    site.puller.renewed = (WEB, (BASE, TWO))
    site.puller.go.set()
    await told(site, repair=True)
    assert site.puller.asked[0][0] == f"a.test/web@{record.manifest_digest}"


async def test_what_is_free_is_pulled_again_by_digest(site: Site) -> None:
    digest = site.image(WEB).repo_digests[0]
    spoil(site, WEB)
    site.puller.go.set()
    _, repair, last = await told(site, repair=True)
    assert (repair["image"], repair["ok"]) == (WEB, True)
    assert site.puller.asked[0][0] == digest
    assert last["repaired_images"] == 1
    assert site.parts.store.find(WEB) is not None


async def test_a_pull_that_fails_is_told(site: Site) -> None:
    spoil(site, WEB)
    site.puller.error = NotFound("x", "is nowhere")
    site.puller.go.set()
    _, repair, _ = await told(site, repair=True)
    assert cast(str, repair["cause"]).startswith("x: is nowhere")


async def test_damaged_layers_that_are_left_are_counted(site: Site) -> None:
    spoil_layer(site, APP)
    await told(site)
    assert site.parts.facts.damaged_layers == 1
    site.puller.go.set()
    await told(site, repair=True)
    assert site.parts.facts.damaged_layers == 0


async def test_what_came_from_an_archive_is_not_thrown_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(site, WEB)
    imported = tuple(replace(one, source=ARCHIVE) for one in site.parts.store.list_images())
    monkeypatch.setattr(site.parts.store, "list_images", lambda: imported)
    _, repair, _ = await told(site, repair=True)
    assert (repair["ok"], site.puller.asked) == (False, [])
    assert "remove it and import that again" in str(repair["cause"])
    assert site.parts.store.find(WEB) is not None
