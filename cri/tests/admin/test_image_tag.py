"""Names and pins of images."""

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_tag import pin_image, read_until, tag_image, unpin_image
from cri.tests.admin.conftest import APP, WEB, Site, rows
from image.errors import InvalidArgument


async def test_a_name_moves_and_says_from_where(site: Site) -> None:
    web = site.image(WEB)
    answer = await tag_image(site.parts, Arguments({"source": APP, "target": WEB}))
    assert (answer["name"], answer["moved_from"]) == (WEB, web.id)
    assert site.image(WEB).id == site.image(APP).id
    digest = f"a.test/x@{web.manifest_digest}"
    with pytest.raises(InvalidArgument, match="has a digest"):
        await tag_image(site.parts, Arguments({"source": APP, "target": digest}))


async def test_pins_come_and_go(site: Site) -> None:
    answer = await pin_image(
        site.parts, Arguments({"reference": APP, "name": "boot", "until": "2999-01-01"})
    )
    (pin,) = rows(answer, "pins")
    assert (pin["image"], pin["name"], pin["until"]) == (APP, "boot", "2999-01-01T00:00:00.000Z")
    assert site.image(APP).pinned
    gone = await unpin_image(site.parts, Arguments({"reference": APP}))
    assert (len(rows(gone, "removed")), gone["still_pinned"]) == (1, False)


@pytest.mark.parametrize(("text", "says"), [("soon", "is no time"), ("1999-01-01", "has passed")])
def test_a_bad_end_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        read_until(text)
    assert read_until("") == 0
