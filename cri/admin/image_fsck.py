"""The verb `image/fsck`: look at every byte that images need, name damage and who has it, and fetch it again if asked.

Repair fetches only what is bad: intact layers are held while their image is taken out and pulled again by its digest.
What a container uses is not touched, since its files would change under it; it is named with the container.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import CONTAINER, Keepers
from cri.admin.parts import AdminParts
from cri.admin.texts import seconds
from image.errors import ImageError
from image.model.records import ImageRecord
from image.store.fsck import Item, damage_of, items_of

SCHEMA = "lading.image-fsck/v1"


async def check_images(
    parts: AdminParts, arguments: Arguments
) -> AsyncGenerator[dict[str, object], None]:
    """Answer `image/fsck` by lines of progress, one per damaged thing, one per repair, and a last one."""
    repair = arguments.flag("repair")
    arguments.finish()
    begin = time.monotonic()
    images = {record.id: record for record in parts.store.list_images()}
    report = await parts.store.report()
    items = items_of(parts.store.root, images.values(), report)
    total = sum(item.size_bytes for item in items)
    keepers, damaged, done = Keepers(parts, report), [], 0
    for position, item in enumerate(items, start=1):
        cause = await asyncio.to_thread(damage_of, item)
        done += item.size_bytes
        if cause and not _is_gone(parts, item):
            damaged.append(item)
            yield _damage_fields(item, cause, images, keepers)
        yield {
            "schema": SCHEMA,
            "event": "progress",
            "checked": position,
            "items": len(items),
            "bytes": done,
            "total_bytes": total,
        }
    repaired = 0
    if repair:
        async for fields in _repair_all(parts, damaged, images):
            repaired += fields["ok"] is True
            yield fields
    yield {
        "schema": SCHEMA,
        "event": "done",
        "checked": len(items),
        "bytes": done,
        "damaged": len(damaged),
        "damaged_images": len({image for item in damaged for image in item.images}),
        "repaired_images": repaired,
        "seconds": seconds(time.monotonic() - begin),
    }


def _is_gone(parts: AdminParts, item: Item) -> bool:
    """Tell whether all its images were removed meanwhile: then its absence is no damage."""
    present = {record.id for record in parts.store.list_images()}
    return present.isdisjoint(item.images)


def _damage_fields(
    item: Item, cause: str, images: dict[str, ImageRecord], keepers: Keepers
) -> dict[str, object]:
    users = [
        one.holder
        for image in item.images
        for one in keepers.of(images[image])
        if one.kind == CONTAINER
    ]
    return {
        "schema": SCHEMA,
        "event": "damage",
        "kind": item.kind,
        "digest": item.digest,
        "cause": cause,
        "size_bytes": item.size_bytes,
        "images": [_name(images[image]) for image in item.images],
        "used_by": list(dict.fromkeys(users)),
    }


async def _repair_all(
    parts: AdminParts, damaged: list[Item], images: dict[str, ImageRecord]
) -> AsyncGenerator[dict[str, object], None]:
    """Take all affected images out, hold what is intact, and pull each again.

    All of them first: as long as one image has a damaged layer, the store counts it as present.
    """
    affected = {one: images[one] for item in damaged for one in item.images}
    trouble = await _obstacles(parts, damaged, affected)
    free = [record for one, record in affected.items() if one not in trouble]
    bad = {item.digest for item in damaged}
    space = await parts.store.begin_pull()
    try:
        chains = {layer.chain_id for record in free for layer in record.layers}
        await space.claim(tuple(chains - bad))
        for record in free:
            await parts.store.remove(record.id)
        for record in free:
            trouble[record.id] = await _pull_again(parts, record)
    finally:
        await space.close()
    for image_id, record in affected.items():
        cause = trouble[image_id]
        yield {
            "schema": SCHEMA,
            "event": "repair",
            "image": _name(record),
            "ok": not cause,
            "cause": cause,
        }


async def _obstacles(
    parts: AdminParts, damaged: list[Item], affected: dict[str, ImageRecord]
) -> dict[str, str]:
    """Return why images cannot be taken out, by id; one that shares damage with such a one cannot either."""
    keepers = Keepers(parts, await parts.store.report())
    found = {}
    for image_id, record in affected.items():
        users = [one.holder for one in keepers.of(record) if one.kind == CONTAINER]
        if users:
            found[image_id] = f"is used by {', '.join(users[:3])}; remove those containers first"
        elif not record.repo_digests:
            found[image_id] = "has no registry digest to fetch it by; import or build it again"
    for item in damaged:
        blocking = next((one for one in item.images if one in found), None)
        for one in item.images if blocking else ():
            found.setdefault(one, f"shares the damage with {_name(affected[blocking or one])}")
    return found


async def _pull_again(parts: AdminParts, record: ImageRecord) -> str:
    """Pull an image by its digest and give it its names; return why that failed, or nothing."""
    try:
        again = await parts.puller.pull(record.repo_digests[0], caller="operator")
        for tag in record.repo_tags:
            await parts.store.tag(again.id, tag)
    except ImageError as error:
        return str(error)
    return ""


def _name(record: ImageRecord) -> str:
    return (record.repo_tags or record.repo_digests or (record.id,))[0]
