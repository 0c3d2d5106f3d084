"""The verb `image/fsck`: look at every byte that images need, name damage and who has it, and fetch it again if asked.

Repair makes an index again from its tar, and fetches only what is bad: intact layers are held while their image is taken
out and pulled again by its digest. Containers that use a damaged layer keep it as it is; new ones get the good one.
"""

import time
from collections.abc import AsyncGenerator

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import CONTAINER, Keepers
from cri.admin.parts import AdminParts
from cri.admin.texts import seconds
from image.errors import ImageError
from image.model.records import ARCHIVE, ImageRecord
from image.store.fsck import Damage, Item, items_of

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
        damage = await parts.store.examine(item)
        done += item.size_bytes
        if damage is not None:
            damaged.append((item, damage))
            yield _damage_fields(item, damage.cause, images, keepers)
        yield {
            "schema": SCHEMA,
            "event": "progress",
            "checked": position,
            "items": len(items),
            "bytes": done,
            "total_bytes": total,
        }
    repaired, spent = 0, time.monotonic() - begin
    mended = set[str]()
    if repair:
        async for fields in _repair_all(parts, damaged, images):
            repaired += fields["ok"] is True
            mended |= {str(fields["image"])} if fields["ok"] is True else set()
            yield fields
    parts.facts.damaged_layers = sum(
        item.kind == "layer" and not mended.issuperset(_name(images[one]) for one in item.images)
        for item, _ in damaged
    )
    yield {
        "schema": SCHEMA,
        "event": "done",
        "checked": len(items),
        "bytes": done,
        "damaged": len(damaged),
        "damaged_images": len({image for item, _ in damaged for image in item.images}),
        "repaired_images": repaired,
        "bytes_per_second": round(done / max(spent, 0.001)),
        "seconds": seconds(time.monotonic() - begin),
    }


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
    parts: AdminParts, damaged: list[tuple[Item, Damage]], images: dict[str, ImageRecord]
) -> AsyncGenerator[dict[str, object], None]:
    """Mend indexes, take all other damage out with its images, hold what is intact, and pull each again.

    All of them first: as long as one image has a damaged layer, the store counts it as present.
    """
    trouble = dict.fromkeys((one for item, _ in damaged for one in item.images), "")
    fetched = [item for item, damage in damaged if not await _renewed(parts, item, damage)]
    for item in [one for one in fetched if _is_lost_without_archive(one, images)]:
        trouble.update(
            (one, "came from an archive; remove it and import that again") for one in item.images
        )
        fetched.remove(item)
    affected = {one: images[one] for item in fetched for one in item.images}
    bad = {item.digest for item in fetched}
    space = await parts.store.begin_pull()
    try:
        chains = {layer.chain_id for record in affected.values() for layer in record.layers}
        await space.claim(tuple(chains - bad))
        for item in fetched:
            cause = await _take_out(parts, item)
            trouble.update((one, cause) for one in item.images if cause)
        for one, record in affected.items():
            trouble[one] = trouble[one] or await _pull_again(parts, record)
    finally:
        await space.close()
    for image_id, cause in trouble.items():
        yield {
            "schema": SCHEMA,
            "event": "repair",
            "image": _name(images[image_id]),
            "ok": not cause,
            "cause": cause,
        }


def _is_lost_without_archive(item: Item, images: dict[str, ImageRecord]) -> bool:
    """Tell whether no registry is known to have an image of this item: it must not be taken out to be fetched."""
    return any(images[one].source == ARCHIVE for one in item.images)


async def _renewed(parts: AdminParts, item: Item, damage: Damage) -> bool:
    """Make an index again, if that is all that is damaged; tell whether it helped."""
    if not damage.is_of_index:
        return False
    try:
        await parts.store.renew(item.digest)
    except ImageError:
        return False  # its tar is damaged too
    return True


async def _take_out(parts: AdminParts, item: Item) -> str:
    """Make room for a good copy; return why that cannot be, or nothing."""
    try:
        if item.kind == "layer":
            await parts.store.condemn(item.digest)
        else:
            for image_id in item.images:
                await parts.store.remove(image_id)
    except ImageError as error:
        return str(error)
    return ""


async def _pull_again(parts: AdminParts, record: ImageRecord) -> str:
    """Pull an image by its digest and give it its names; return why that failed, or nothing."""
    try:
        again = await parts.puller.pull(_source(record), caller="operator")
        for tag in record.repo_tags:
            await parts.store.tag(again.id, tag)
    except ImageError as error:
        return str(error)
    return ""


def _source(record: ImageRecord) -> str:
    """Return by what exactly this image can be pulled, also when only tags are left of its names."""
    if record.repo_digests:
        return record.repo_digests[0]
    return f"{record.repo_tags[0].rpartition(':')[0]}@{record.manifest_digest}"


def _name(record: ImageRecord) -> str:
    return (record.repo_tags or record.repo_digests or (record.id,))[0]
