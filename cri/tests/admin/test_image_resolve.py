"""Endpoints are told in their order."""

from cri.admin.arguments import Arguments
from cri.admin.image_resolve import resolve_image
from cri.tests.admin.conftest import APP, Site, rows


async def test_endpoints_are_told(site: Site) -> None:
    answer = await resolve_image(
        site.parts, Arguments({"reference": APP, "auth": {"username": "u"}})
    )
    (one,) = rows(answer, "endpoints")
    assert (one["url"], one["result"], one["seconds"]) == ("http://m", "200", 0.5)
    assert site.puller.asked[0][1] is not None
