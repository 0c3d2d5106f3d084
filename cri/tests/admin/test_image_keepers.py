"""Everything that keeps an image is found and named."""

from cri.admin.image_keepers import Keepers
from cri.tests.admin.conftest import APP, WEB, Site, running_pull


async def keepers(site: Site) -> Keepers:
    return Keepers(site.parts, await site.parts.store.report())


async def test_containers_pins_and_pulls_keep_an_image(site: Site) -> None:
    site.use(site.image(APP))
    await site.parts.pins.pin(APP, label="boot")
    site.puller.now = (running_pull(APP),)
    found = (await keepers(site)).of(site.image(APP))
    assert [(one.kind, one.words()) for one in found] == [
        ("container", "default/web/app"),
        ("pin", 'pin "boot"'),
        ("pull", 'pull "12345678"'),
    ]
    assert (await keepers(site)).of(site.image(WEB)) == ()


async def test_a_use_without_container_is_one_that_is_being_made(site: Site) -> None:
    await site.parts.store.acquire(site.image(WEB).id, "c" * 64)
    (one,) = (await keepers(site)).of(site.image(WEB))
    assert (one.holder, one.state) == ("container cccccccccccc", "creating")


async def test_settings_pin_too(site: Site) -> None:
    await site.parts.store.set_pins(("a.test/*",))
    (one,) = (await keepers(site)).of(site.image(WEB))
    assert one.fields()["object"] == "image.pinned_images"
