"""The verbs `image/rm` and `image/prune`: removal that says what keeps an image instead of taking it.

The same removal as the kubelet's. What a container uses stays on disk until the container is gone, forced or not.
"""

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import CONTAINER, PULL, Keeper, Keepers
from cri.admin.image_lookup import find_image
from cri.admin.parts import AdminParts
from image.errors import FailedPrecondition
from image.model.records import ImageRecord
from image.store.catalogue import Catalogue


async def remove_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/rm`: one name, or an id with all its names.

    Raises:
        NotFound: it is not on this node.
        FailedPrecondition: something keeps it, and `force` is not set.
    """
    text, force = arguments.text("reference"), arguments.flag("force")
    dry_run = arguments.flag("dry_run")
    arguments.finish()
    record = find_image(parts, text)
    report = await parts.store.report()
    names = Catalogue(parts.store.list_images()).doomed_names(text, record)
    whole = set(names) >= {*record.repo_tags, *record.repo_digests}
    if not force:
        _refuse_kept(text, _keepers(Keepers(parts, report), parts, record, names, whole=whole))
    freed = report.freed_by([record], parts.store.list_images()) if whole else 0
    if not dry_run:
        await parts.store.remove(text)
    return {
        "schema": "lading.image-rm/v1",
        "id": record.id,
        "removed_names": list(names),
        "image_removed": whole,
        "freed_bytes": freed,
        "dry_run": dry_run,
    }


async def prune_images(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/prune`: remove every image that nothing keeps, and what broken-off downloads left."""
    dry_run = arguments.flag("dry_run")
    arguments.finish()
    report = await parts.store.report()
    images = parts.store.list_images()
    keepers = Keepers(parts, report)
    kept = {record.id: keepers.of(record) for record in images}
    doomed = [record for record in images if not kept[record.id]]
    freed = report.freed_by(doomed, images)
    removed = [
        {
            "id": record.id,
            "names": list(record.repo_tags or record.repo_digests),
            "size_bytes": report.image_bytes(record),
        }
        for record in doomed
    ]
    if not dry_run:
        for record in doomed:
            await parts.store.remove(record.id)
    partial = await parts.store.drop_partials(dry_run=dry_run)
    used = sum(any(one.kind in (CONTAINER, PULL) for one in found) for found in kept.values())
    return {
        "schema": "lading.image-prune/v1",
        "removed": removed,
        "freed_bytes": freed,
        "partial_bytes": partial,
        "kept": {"used": used, "pinned": len(images) - len(doomed) - used},
        "dry_run": dry_run,
    }


def _keepers(
    keepers: Keepers,
    parts: AdminParts,
    record: ImageRecord,
    names: tuple[str, ...],
    *,
    whole: bool,
) -> tuple[Keeper, ...]:
    """Return what would lose the image, or a pinned name of it."""
    if whole:
        return keepers.of(record)
    return keepers.pins(record) if any(map(parts.pins.hold, names)) else ()


def _refuse_kept(text: str, kept: tuple[Keeper, ...]) -> None:
    if not kept:
        return
    shown = [one.words() for one in kept[:3]]
    more = f" and {len(kept) - 3} more" if len(kept) > 3 else ""
    raise FailedPrecondition(
        f"rm {text}",
        f"kept by {', '.join(shown)}{more}",
        remedy=f"see 'lading why image:{text}', or use --force",
        reason="ImageInUse" if kept[0].kind in (CONTAINER, PULL) else "ImagePinned",
        details=tuple(one.words() for one in kept[3:20]),
    )
