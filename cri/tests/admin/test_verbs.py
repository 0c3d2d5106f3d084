"""The table is complete, and TCP serves metrics alone."""

from cri.admin.http_messages import Reply
from cri.admin.verbs import admin_dispatcher, metrics_dispatcher
from cri.tests.admin.conftest import Site
from cri.tests.admin.test_dispatch import request


def page() -> Reply:
    return Reply(body=b"page")


async def test_verbs_answer(site: Site) -> None:
    dispatcher = admin_dispatcher(site.parts, page)
    for path in ("status", "version", "operations", "image/ls", "image/pulls"):
        assert (await dispatcher(request("GET", f"/v1/{path}"))).status == 200
    assert (await dispatcher(request("GET", "/metrics"))).body == b"page"


async def test_scrapers_get_nothing_else(site: Site) -> None:
    dispatcher = metrics_dispatcher(page)
    assert (await dispatcher(request("GET", "/metrics"))).body == b"page"
    assert (await dispatcher(request("GET", "/v1/status"))).status == 404
