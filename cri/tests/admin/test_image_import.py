"""An archive in the body becomes images, pinned if asked, and leaves no file behind."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cri.admin.arguments import Arguments
from cri.admin.image_import import import_images, known_images
from cri.tests.admin.conftest import APP, Site
from cri.tests.admin.test_dispatch import request
from image.errors import FailedPrecondition, NotFound, ResourceExhausted
from image.model.digest import sha256_digest
from image.pulls.archive_question import ArchiveListing, ListedImage


class Archives:
    """Stands for the worker: keeps what it was given."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.content = b""
        self.judged: list[tuple[tuple[str, ...], bool]] = []
        self.images: tuple[ListedImage, ...] = (self.listed(APP, "b.test/other:2"),)
        self.imported: list[tuple[int, str, str]] = []

    def listed(self, *names: str, target: str = "", platform: str = "") -> ListedImage:
        return ListedImage(
            entry=0, names=names, id=self.site.image(APP).id, target=target, platform=platform
        )

    async def archive_images(
        self, path: str, repository: str, *, platform: str = ""
    ) -> ArchiveListing:
        self.content = Path(path).read_bytes()
        if repository == "bad":
            raise NotFound("archive", "is bad")
        return ArchiveListing(path=path, images=self.images)

    async def judge_import(self, names: tuple[str, ...], *, trusted: bool) -> None:
        self.judged.append((names, trusted))
        if "reject.test/x:1" in names:
            raise FailedPrecondition("x", "is rejected")

    async def import_image(
        self, path: str, entry: int, reference_text: str, *, platform: str = ""
    ) -> object:
        assert Path(path).exists()
        self.imported.append((entry, reference_text, platform))
        store, image = self.site.parts.store, self.site.image(APP)
        object.__setattr__(self.images[0], "id", image.id)  # as a worker's image would have
        return await store.tag(image.id, reference_text)


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
    site.puller.judge_import = stand_in.judge_import  # type: ignore[attr-defined]
    return stand_in


async def test_images_are_told_and_pinned(site: Site, archives: Archives) -> None:
    first, last = await told(site, pin="boot", until="2999-01-01")
    assert archives.content == b"archive"
    assert (first["names"], first["new"]) == ([APP, "b.test/other:2"], False)
    assert (last["imported"], last["present"], last["pin"]) == (0, 1, "boot")
    assert {pin.name for pin in site.parts.pins.active()} == {APP, "b.test/other:2"}
    assert "b.test/other:2" in site.image(APP).repo_tags


async def test_what_is_here_is_only_named_and_also_by_its_digest(
    site: Site, archives: Archives
) -> None:
    digest = sha256_digest(b"manifest")
    archives.images = (archives.listed("c.test/app:3", target=digest),)
    first, _ = await told(site, trust="true")
    assert (first["new"], archives.imported) == (False, [])
    assert f"c.test/app@{digest}" in site.image(APP).repo_digests
    assert archives.judged == [(("c.test/app:3",), True)]


async def test_what_is_not_here_is_made_for_its_platform(site: Site, archives: Archives) -> None:
    name = f"c.test/app@{sha256_digest(b'arm')}"
    archives.images = (
        replace(archives.listed(name, platform="linux/arm64"), id=sha256_digest(b"new")),
    )
    first, last = await told(site)
    assert archives.imported == [(0, name, "linux/arm64")]
    assert (first["new"], first["platform"], last["imported"]) == (True, "linux/arm64", 1)


async def test_nothing_is_imported_when_one_name_is_refused(site: Site, archives: Archives) -> None:
    archives.images = (archives.listed("ok.test/x:1"), archives.listed("reject.test/x:1"))
    (line,) = await told(site)
    assert "is rejected" in str(line["message"])
    assert site.parts.store.find("ok.test/x:1") is None


async def known(site: Site, **arguments: object) -> list[dict[str, object]]:
    return [line async for line in known_images(site.parts, Arguments(arguments))]


async def test_an_archive_is_known_after_its_import(site: Site, archives: Archives) -> None:
    assert [one["event"] for one in await known(site, fingerprint="f")] == ["unknown"]
    await told(site, fingerprint="f")
    first, last = await known(site, fingerprint="f", pin="boot")
    assert (first["names"], first["new"]) == ([APP, "b.test/other:2"], False)
    assert (last["imported"], last["present"]) == (0, 1)
    assert {pin.name for pin in site.parts.pins.active()} == {APP, "b.test/other:2"}
    await site.parts.store.remove("b.test/other:2")
    assert [one["event"] for one in await known(site, fingerprint="f")] == ["unknown"]
    assert [one["event"] for one in await known(site)] == ["unknown"]


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
