"""The verb `image/ls`: every image with its names, real size, and what keeps it."""

from collections.abc import Mapping

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import CONTAINER, PULL, Keepers
from cri.admin.parts import AdminParts
from cri.admin.texts import rfc3339
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport, count_shares


async def list_images(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/ls`."""
    arguments.finish()
    report = await parts.store.report()
    images = parts.store.list_images()
    keepers, shares = Keepers(parts, report), count_shares(images)
    return {
        "schema": "lading.image-ls/v1",
        "images": [image_fields(one, report, shares, keepers) for one in images],
        "used_bytes": parts.store.bytes_by_kind()["images"],
    }


def image_fields(
    record: ImageRecord, report: DiskReport, shares: Mapping[str, int], keepers: Keepers
) -> dict[str, object]:
    """Return one image as every verb shows it."""
    kept = keepers.of(record)
    config = record.config
    platform = (config.os, config.architecture, config.variant)
    return {
        "id": record.id,
        "tags": list(record.repo_tags),
        "digests": list(record.repo_digests),
        "size_bytes": report.image_bytes(record),
        "unique_bytes": report.unique_bytes(record, shares),
        "download_bytes": record.size_bytes,
        "platform": "/".join(part for part in platform if part),
        "pulled_at": rfc3339(report.pulled_ns.get(record.id, 0)),
        "pinned": record.pinned,
        "pins": [one.holder for one in kept if one.kind not in (CONTAINER, PULL)],
        "used_by": [one.holder for one in kept if one.kind == CONTAINER],
    }
