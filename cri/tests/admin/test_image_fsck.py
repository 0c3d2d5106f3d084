"""Damage is told with images and containers, and repaired where nobody uses it."""

from typing import cast

from cri.admin.arguments import Arguments
from cri.admin.image_fsck import check_images
from cri.tests.admin.conftest import APP, WEB, Site
from image.errors import NotFound
from image.model.digest import digest_hex, parse_digest


def spoil(site: Site, name: str) -> None:
    """Damage the config of an image, which no other has."""
    record = site.image(name)
    root = site.parts.store.root
    (root / "blobs" / "sha256" / digest_hex(parse_digest(record.id))).write_bytes(b"{}")


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


async def test_what_is_used_is_not_touched(site: Site) -> None:
    site.use(site.image(APP))
    spoil(site, APP)
    _, repair, last = await told(site, repair=True)
    assert "is used by default/web/app" in str(repair["cause"])
    assert last["repaired_images"] == 0
    assert site.parts.store.find(APP) is not None


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
