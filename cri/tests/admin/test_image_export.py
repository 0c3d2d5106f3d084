"""Images are streamed as a tar, or refused before the first byte."""

import io
import json
import tarfile
from collections.abc import AsyncGenerator

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_export import MEDIA_TYPE, export_images
from cri.tests.admin.conftest import APP, WEB, Site
from cri.tests.admin.test_dispatch import request
from image.errors import FailedPrecondition, NotFound
from image.exchange.staged_originals import blob_place
from image.model.records import ImageRecord, RegistryAuth
from image.store.image_store import PullSpace


async def exported(site: Site, **fields: object) -> dict[str, bytes]:
    asked = request("POST", "/", json.dumps(fields).encode())
    reply = await export_images(site.parts, asked, Arguments({}))
    assert reply.media_type == MEDIA_TYPE
    assert isinstance(reply.body, AsyncGenerator)
    content = b"".join([piece async for piece in reply.body])
    assert list((site.parts.store.root / "staging").iterdir()) == []
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return {m.name: (opened.extractfile(m) or io.BytesIO()).read() for m in opened}


async def test_extracted_layers_are_written_as_tars_again(site: Site) -> None:
    found = await exported(site, references=[APP, WEB])
    first, second = json.loads(found["manifest.json"])
    assert (first["RepoTags"], second["RepoTags"]) == ([APP], [WEB])
    assert first["Layers"][0] == second["Layers"][0]
    with tarfile.open(fileobj=io.BytesIO(found[first["Layers"][1]])) as layer:
        content = layer.extractfile("one")
        assert content is not None
        assert content.read() == b"1" * 5000


class Registry:
    """Stands for the worker that fetches originals."""

    def __init__(self, *blobs: tuple[str, bytes]) -> None:
        self.blobs = blobs
        self.asked: list[tuple[str, RegistryAuth | None]] = []

    async def fetch(
        self,
        record: ImageRecord,
        name: str,
        space: PullSpace,
        *,
        auth: RegistryAuth | None,
        kept: tuple[str, ...],
    ) -> None:
        self.asked.append((name, auth))
        for digest, content in self.blobs:
            blob_place(space.staging, digest).write_bytes(content)


async def test_originals_are_asked_of_the_registry(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = site.image(APP)
    registry = Registry()
    site.puller.originals = registry  # type: ignore[attr-defined]
    with pytest.raises(FailedPrecondition):  # the made image has no manifest that could be read
        await exported(site, references=[APP], exact=True, auths=[{"username": "me"}])
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": record.id,
                "size": len(await site.parts.store.read_blob(record.id)),
            },
            "layers": [],
        }
    ).encode()

    async def read_blob(digest: str) -> bytes:
        return raw if digest == record.manifest_digest else b"{}"

    monkeypatch.setattr(site.parts.store, "read_blob", read_blob)
    found = await exported(site, references=[APP], exact=True, auths=[{"username": "me"}])
    ((name, auth),) = registry.asked
    assert (name, auth and auth.username) == (APP, "me")
    assert raw in found.values()


async def test_refusals_come_before_the_first_byte(site: Site) -> None:
    with pytest.raises(NotFound):
        await exported(site, references=["none"])
    assert list((site.parts.store.root / "staging").iterdir()) == []


async def test_what_is_exported_is_held_until_it_is_sent(site: Site) -> None:
    asked = request("POST", "/", json.dumps({"references": APP}).encode())
    reply = await export_images(site.parts, asked, Arguments({}))
    await site.parts.store.remove(site.image(APP).id)
    assert isinstance(reply.body, AsyncGenerator)
    assert [piece async for piece in reply.body]
