"""The verbs `image/import` and `image/import/known`: bring images in from an archive that is the request's body.

The body is hostile: it is kept in a staging directory, and read by a worker without rights, by the code of pulls. What
is here already is not made again, and an archive that has not changed is not even sent again.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from cri.admin.arguments import Arguments
from cri.admin.dispatch import json_lines
from cri.admin.http_messages import JSON_LINES, Reply, Request
from cri.admin.image_tag import read_until
from cri.admin.parts import AdminParts
from image.errors import ResourceExhausted
from image.model.reference import parse_reference
from image.pulls.archive_question import ListedImage
from image.store.image_store import PullSpace
from image.store.known_archives import ImportedImage, KnownArchives

SCHEMA = "lading.image-import/v1"
_BATCH = 4 * 1024 * 1024
Fields = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wishes:
    """What the operator asked for."""

    repository: str
    """For images that have only a tag."""
    platform: str
    """Empty: this node's by its names, and others by their digests."""
    label: str
    """Of the pin; empty for none."""
    until_ns: int
    trusted: bool
    fingerprint: str
    """By which the archive will be known; empty when it cannot be."""


async def import_images(parts: AdminParts, request: Request, arguments: Arguments) -> Reply:
    """Answer `image/import` by a line per image and a last one.

    Raises:
        InvalidArgument: the end of the pin is no time.
        ResourceExhausted: the disk is full.
    """
    wishes = _wishes(arguments)
    space = await parts.store.begin_pull()
    try:
        archive = space.staging / "archive"
        await _keep(request, archive)
    except BaseException:
        await space.close()
        raise
    lines = _import_all(parts, space, archive, wishes)
    return Reply(media_type=JSON_LINES, body=json_lines(lines))


async def known_images(parts: AdminParts, arguments: Arguments) -> AsyncGenerator[Fields, None]:
    """Answer `image/import/known`: as the import of an archive that is known would, or by one line that it is not."""
    wishes = _wishes(arguments)
    images = await asyncio.to_thread(_archives(parts).images_of, wishes.fingerprint)
    if not images:
        yield {"schema": SCHEMA, "event": "unknown"}
        return
    for one in images:
        await parts.puller.judge_import(one.names, trusted=wishes.trusted)
        await _pin(parts, one.names, wishes)
        yield _image_line(one.id, one.names, "", new=False)
    yield _last_line(wishes, imported=0, present=len(images), added=0)


def _wishes(arguments: Arguments) -> _Wishes:
    wishes = _Wishes(
        repository=arguments.text("name", ""),
        platform=arguments.text("platform", ""),
        label=arguments.text("pin", ""),
        until_ns=read_until(arguments.text("until", "")),
        trusted=arguments.flag("trust"),
        fingerprint=arguments.text("fingerprint", "")[:128],
    )
    arguments.finish()
    return wishes


def _archives(parts: AdminParts) -> KnownArchives:
    return KnownArchives(parts.store.root, parts.store.find)


async def _keep(request: Request, path: Path) -> None:
    """Write the body to a file, a few megabytes at a time."""
    batch = bytearray()
    try:
        with path.open("xb", buffering=0) as target:
            async for piece in request.body.pieces():
                batch += piece
                if len(batch) >= _BATCH:
                    await asyncio.to_thread(_write_all, target, bytes(batch))
                    batch.clear()
            await asyncio.to_thread(_write_all, target, bytes(batch))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourceExhausted(
            "image archive", "disk is full", remedy="remove images or free space", reason="DiskFull"
        ) from error


def _write_all(target: FileIO, content: bytes) -> None:
    """Write everything: the last blocks of a disk take a part, and only the next write is told that it is full."""
    left = memoryview(content)
    while left:
        left = left[target.write(left) :]


async def _import_all(
    parts: AdminParts, space: PullSpace, archive: Path, wishes: _Wishes
) -> AsyncGenerator[Fields, None]:
    counts = {True: 0, False: 0}
    before = parts.store.bytes_by_kind()["images"]
    images = []
    try:
        listing = await parts.puller.archive_images(
            str(archive), wishes.repository, platform=wishes.platform
        )
        for one in listing.images:
            await parts.puller.judge_import(one.names, trusted=wishes.trusted)
        for one in listing.images:
            new = await _import_one(parts, listing.path, one, wishes)
            names = _all_names(one)
            await _pin(parts, one.names, wishes)
            images.append(ImportedImage(id=one.id, names=names))
            counts[new] += 1
            yield _image_line(one.id, one.names, one.platform, new=new)
        if wishes.fingerprint:
            await asyncio.to_thread(_archives(parts).note, wishes.fingerprint, tuple(images))
    finally:
        await space.close()
    added = max(0, parts.store.bytes_by_kind()["images"] - before)
    yield _last_line(wishes, imported=counts[True], present=counts[False], added=added)


async def _import_one(parts: AdminParts, path: str, image: ListedImage, wishes: _Wishes) -> bool:
    """Make an image, or only name it when it is here; tell whether it is new."""
    names, new = _all_names(image), parts.store.find(image.id) is None
    if new:
        platform = image.platform or wishes.platform
        await parts.puller.import_image(path, image.entry, image.names[0], platform=platform)
        names = image.names[1:]
    for name in names:
        await parts.store.tag(image.id, name)
    return new


def _all_names(image: ListedImage) -> tuple[str, ...]:
    """Return the names, that by the digest too where others know the image by it."""
    if not image.target:
        return image.names
    repository = parse_reference(image.names[0]).name
    return tuple(dict.fromkeys((*image.names, f"{repository}@{image.target}")))


async def _pin(parts: AdminParts, names: Sequence[str], wishes: _Wishes) -> None:
    for name in names if wishes.label else ():
        await parts.pins.pin(name, label=wishes.label, until_ns=wishes.until_ns)


def _image_line(id: str, names: Sequence[str], platform: str, *, new: bool) -> Fields:
    return {
        "schema": SCHEMA,
        "event": "image",
        "id": id,
        "names": list(names),
        "platform": platform,
        "new": new,
    }


def _last_line(wishes: _Wishes, *, imported: int, present: int, added: int) -> Fields:
    return {
        "schema": SCHEMA,
        "event": "done",
        "imported": imported,
        "present": present,
        "bytes": added,
        "pin": wishes.label,
    }
