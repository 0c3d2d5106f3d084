"""Removal is refused with what keeps an image, and frees what it says."""

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_remove import prune_images, remove_image
from cri.tests.admin.conftest import APP, WEB, Site
from image.errors import FailedPrecondition, NotFound


async def test_a_used_image_is_kept_unless_forced(site: Site) -> None:
    site.use(site.image(APP))
    with pytest.raises(
        FailedPrecondition, match="kept by default/web/app; see 'lading why"
    ) as told:
        await remove_image(site.parts, Arguments({"reference": APP}))
    assert told.value.reason == "ImageInUse"
    answer = await remove_image(site.parts, Arguments({"reference": APP, "force": True}))
    assert answer["image_removed"] is True
    assert site.parts.store.find(APP) is None


async def test_a_pinned_name_is_kept_and_another_goes(site: Site) -> None:
    await site.parts.store.tag(APP, "a.test/app:2")
    await site.parts.pins.pin(APP, label="boot")
    with pytest.raises(FailedPrecondition, match="ImagePinned"):
        await remove_image(site.parts, Arguments({"reference": APP}))
    answer = await remove_image(site.parts, Arguments({"reference": "a.test/app:2"}))
    assert (answer["image_removed"], answer["freed_bytes"]) == (False, 0)
    assert site.image(APP).repo_tags == (APP,)


async def test_a_name_that_the_settings_pin_is_kept(site: Site) -> None:
    await site.parts.store.tag(APP, "a.test/app:2")
    site.parts.pins._configured = ("*/app:2",)
    await site.parts.pins.refresh()
    with pytest.raises(FailedPrecondition, match=r"image\.pinned_images"):
        await remove_image(site.parts, Arguments({"reference": "a.test/app:2"}))
    answer = await remove_image(site.parts, Arguments({"reference": APP}))
    assert answer["image_removed"] is False


async def test_what_is_said_to_be_freed_is_freed(site: Site) -> None:
    before = site.parts.store.bytes_by_kind()["images"]
    dry = await remove_image(site.parts, Arguments({"reference": APP, "dry_run": True}))
    assert site.parts.store.find(APP) is not None
    real = await remove_image(site.parts, Arguments({"reference": APP}))
    assert dry["freed_bytes"] == real["freed_bytes"]
    assert real["freed_bytes"] == before - site.parts.store.bytes_by_kind()["images"]


async def test_absent_images_are_not_found(site: Site) -> None:
    with pytest.raises(NotFound):
        await remove_image(site.parts, Arguments({"reference": "nope"}))


async def test_pruning_takes_what_broken_off_downloads_left(site: Site) -> None:
    await prune_images(site.parts, Arguments({}))
    place = site.parts.store.partial_directory / f"sha256-{'0' * 64}"
    place.write_bytes(b"x" * 5000)
    left = site.parts.store.partial_bytes()
    dry = await prune_images(site.parts, Arguments({"dry_run": True}))
    assert (dry["partial_bytes"], dry["freed_bytes"], place.exists()) == (left, 0, True)
    assert await prune_images(site.parts, Arguments({})) == {**dry, "dry_run": False}
    assert site.parts.store.partial_bytes() == 0


async def test_pruning_keeps_what_is_kept(site: Site) -> None:
    site.use(site.image(APP))
    dry = await prune_images(site.parts, Arguments({"dry_run": True}))
    assert len(site.parts.store.list_images()) == 2
    real = await prune_images(site.parts, Arguments({}))
    assert (real["kept"], dry["freed_bytes"]) == ({"used": 1, "pinned": 0}, real["freed_bytes"])
    assert [one.repo_tags for one in site.parts.store.list_images()] == [(APP,)]
    assert site.parts.store.find(WEB) is None
