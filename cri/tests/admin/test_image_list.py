"""Images are listed with real sizes and their keepers."""

from cri.admin.arguments import Arguments
from cri.admin.image_list import list_images
from cri.tests.admin.conftest import APP, Site


async def test_each_image_says_what_it_takes_and_who_has_it(site: Site) -> None:
    site.use(site.image(APP))
    await site.parts.pins.pin(APP, label="boot")
    answer = await list_images(site.parts, Arguments({}))
    images = answer["images"]
    assert isinstance(images, list)
    app, web = images
    assert (app["tags"], app["pins"], app["used_by"]) == ([APP], ["boot"], ["default/web/app"])
    assert app["unique_bytes"] < app["size_bytes"]
    assert web["used_by"] == []
    assert web["platform"] == "linux/amd64"
    assert web["pulled_at"].endswith("Z")
