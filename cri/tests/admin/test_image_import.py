"""An archive in the body becomes images, pinned if asked, and leaves no file behind."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_import import import_images
from cri.tests.admin.conftest import APP, Site
from cri.tests.admin.test_dispatch import request
from image.errors import NotFound, ResourceExhausted
from image.worker.archive_question import ArchiveListing


class Archives:
    """Stands for the worker: keeps what it was given."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.content = b""

    async def archive_images(self, path: str, repository: str) -> ArchiveListing:
        self.content = Path(path).read_bytes()
        if repository == "bad":
            raise NotFound("archive", "is bad")
        return ArchiveListing(path=path, names=((APP, "b.test/other:2"),))

    async def import_image(self, path: str, entry: int, reference_text: str) -> object:
        assert (Path(path).exists(), entry, reference_text) == (True, 0, APP)
        return self.site.image(APP)


async def told(site: Site, **arguments: object) -> list[dict[str, object]]:
    reply = await import_images(site.parts, request("POST", "/", b"archive"), Arguments(arguments))
    assert isinstance(reply.body, AsyncGenerator)
    lines = [json.loads(line) async for line in reply.body]
    assert list((site.parts.store.root / "staging").iterdir()) == []
    return lines


@pytest.fixture
def archives(site: Site) -> Archives:
    stand_in = Archives(site)
    site.puller.archive_images = stand_in.archive_images  # type: ignore[attr-defined]
    site.puller.import_image = stand_in.import_image  # type: ignore[attr-defined]
    return stand_in


async def test_images_are_told_and_pinned(site: Site, archives: Archives) -> None:
    first, last = await told(site, pin="boot", until="2999-01-01")
    assert archives.content == b"archive"
    assert (first["names"], first["new"]) == ([APP, "b.test/other:2"], False)
    assert (last["imported"], last["present"], last["pin"]) == (0, 1, "boot")
    assert {pin.name for pin in site.parts.pins.active()} == {APP, "b.test/other:2"}
    assert "b.test/other:2" in site.image(APP).repo_tags


async def test_a_bad_archive_is_the_last_line(site: Site, archives: Archives) -> None:
    (line,) = await told(site, name="bad")
    assert line["message"] == "archive: is bad [NotFound]"


async def test_a_write_that_takes_a_part_is_gone_on_with(
    site: Site, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reluctant(io.FileIO):
        """A file on a disk that is nearly full."""

        def write(self, content: bytes, /) -> int:  # type: ignore[override]
            return super().write(bytes(content)[:3])

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: Reluctant(path, mode))
    await told(site)
    assert archives.content == b"archive"


async def test_a_full_disk_is_told_as_such(
    site: Site, archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", lambda path, mode, **_: io.FileIO("/dev/full", "w"))
    with pytest.raises(ResourceExhausted, match="disk is full"):
        await told(site)


async def test_a_body_that_breaks_off_leaves_nothing(site: Site, archives: Archives) -> None:
    class Broken:
        """A body that ends in an error."""

        async def pieces(self) -> AsyncIterator[bytes]:
            yield b"x"
            raise ConnectionError

    broken = request("POST", "/")
    object.__setattr__(broken, "body", Broken())
    with pytest.raises(ConnectionError):
        await import_images(site.parts, broken, Arguments({}))
    assert list((site.parts.store.root / "staging").iterdir()) == []
    assert archives.content == b""
