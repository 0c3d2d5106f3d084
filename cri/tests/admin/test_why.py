"""What keeps an image or layer is told with what would come back."""

import pytest

from cri.admin.arguments import Arguments
from cri.admin.why import why
from cri.tests.admin.conftest import APP, WEB, Site, rows
from image.errors import NotFound
from runtime.errors import InvalidArgument


async def test_an_image_names_its_holders(site: Site) -> None:
    site.use(site.image(APP))
    answer = await why(site.parts, Arguments({"object": f"image:{APP}"}))
    (holder,) = rows(answer, "holders")
    assert (holder["kind"], holder["object"], holder["state"]) == (
        "container",
        "default/web/app",
        "running",
    )
    assert answer["freed_bytes"] != 0


async def test_a_layer_names_its_images(site: Site) -> None:
    base = site.image(APP).layers[0]
    answer = await why(site.parts, Arguments({"object": f"image:{base.diff_id}"}))
    assert [one["object"] for one in rows(answer, "holders")] == [APP, WEB]


async def test_other_objects_are_refused(site: Site) -> None:
    with pytest.raises(InvalidArgument, match="image:REFERENCE"):
        await why(site.parts, Arguments({"object": "busybox"}))
    with pytest.raises(NotFound):
        await why(site.parts, Arguments({"object": "image:nope"}))
