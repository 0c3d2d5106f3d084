"""Images are found by any name, and pins go to the name that was written."""

import pytest

from cri.admin.image_lookup import find_image, pinned_names
from cri.tests.admin.conftest import APP, Site
from image.errors import NotFound


async def test_any_name_finds_an_image(site: Site) -> None:
    record = site.image(APP)
    assert find_image(site.parts, record.id[7:20]) is record
    with pytest.raises(NotFound, match="lading image ls"):
        find_image(site.parts, "nope")


async def test_an_id_means_all_tags(site: Site) -> None:
    record = await site.parts.store.tag(APP, "a.test/b:2")
    assert pinned_names(record, APP) == (APP,)
    assert pinned_names(record, record.id) == (APP, "a.test/b:2")
