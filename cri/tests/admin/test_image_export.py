"""Images are streamed as a tar, or refused before the first byte."""

from collections.abc import AsyncGenerator

import pytest

import cri.admin.image_export
from cri.admin.arguments import Arguments
from cri.admin.image_export import TAR, export_images
from cri.tests.admin.conftest import APP, Site
from cri.tests.admin.test_dispatch import request
from image.errors import FailedPrecondition, NotFound
from image.store.image_export import ExportPlan


async def test_an_archive_is_streamed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ExportPlan(documents=(("oci-layout", b"{}"),), layers=())
    monkeypatch.setattr(cri.admin.image_export, "plan_export", lambda *_: plan)
    reply = await export_images(site.parts, request("GET", "/"), Arguments({"references": APP}))
    assert reply.media_type == TAR
    assert isinstance(reply.body, AsyncGenerator)
    content = b"".join([piece async for piece in reply.body])
    assert content.startswith(b"oci-layout")
    assert len(content) == 4 * 512
    assert list((site.parts.store.root / "staging").iterdir()) == []


async def test_refusals_come_before_the_first_byte(site: Site) -> None:
    asked = request("GET", "/")
    with pytest.raises(NotFound):
        await export_images(site.parts, asked, Arguments({"references": "none"}))
    with pytest.raises(FailedPrecondition, match="were extracted"):
        await export_images(site.parts, asked, Arguments({"references": APP}))
    assert list((site.parts.store.root / "staging").iterdir()) == []
