"""The verb `image/import`: bring images in from an archive that is the request's body.

The body is hostile: it is kept in a staging directory, and read by a worker without rights, by the code of pulls.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator
from io import FileIO
from pathlib import Path

from cri.admin.arguments import Arguments
from cri.admin.dispatch import json_lines
from cri.admin.http_messages import JSON_LINES, Reply, Request
from cri.admin.image_tag import read_until
from cri.admin.parts import AdminParts
from image.errors import ResourceExhausted
from image.store.image_store import PullSpace

SCHEMA = "lading.image-import/v1"
_BATCH = 4 * 1024 * 1024


async def import_images(parts: AdminParts, request: Request, arguments: Arguments) -> Reply:
    """Answer `image/import` by a line per image and a last one.

    Raises:
        InvalidArgument: the end of the pin is no time.
        ResourceExhausted: the disk is full.
    """
    repository, label = arguments.text("name", ""), arguments.text("pin", "")
    until = read_until(arguments.text("until", ""))
    arguments.finish()
    space = await parts.store.begin_pull()
    try:
        archive = space.staging / "archive"
        await _keep(request, archive)
    except BaseException:
        await space.close()
        raise
    lines = _import_all(parts, space, archive, repository, label, until)
    return Reply(media_type=JSON_LINES, body=json_lines(lines))


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
    parts: AdminParts, space: PullSpace, archive: Path, repository: str, label: str, until: int
) -> AsyncGenerator[dict[str, object], None]:
    counts = {True: 0, False: 0}
    before = parts.store.bytes_by_kind()["images"]
    try:
        listing = await parts.puller.archive_images(str(archive), repository)
        for position, names in enumerate(listing.names):
            known = {one.id for one in parts.store.list_images()}
            record = await parts.puller.import_image(listing.path, position, names[0])
            for name in names[1:]:
                await parts.store.tag(record.id, name)
            for name in names if label else ():
                await parts.pins.pin(name, label=label, until_ns=until)
            new = record.id not in known
            counts[new] += 1
            yield {
                "schema": SCHEMA,
                "event": "image",
                "id": record.id,
                "names": list(names),
                "new": new,
            }
    finally:
        await space.close()
    yield {
        "schema": SCHEMA,
        "event": "done",
        "imported": counts[True],
        "present": counts[False],
        "bytes": max(0, parts.store.bytes_by_kind()["images"] - before),
        "pin": label,
    }
