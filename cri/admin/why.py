"""The verb `why`: what keeps an image or a layer on this node, and what would come back without it."""

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import Keepers
from cri.admin.image_lookup import find_image
from cri.admin.parts import AdminParts
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from runtime.errors import InvalidArgument


async def why(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `why`.

    Raises:
        NotFound: neither an image nor a layer here is called so.
        InvalidArgument: the object is of a kind that cannot be asked about.
    """
    target = arguments.text("object")
    arguments.finish()
    kind, colon, text = target.partition(":")
    if kind != "image" or not colon or not text:
        raise InvalidArgument(
            f"object {target[:200]}",
            "is not image:REFERENCE",
            remedy="ask for example: lading why image:busybox:1.36",
            reason="BadObject",
        )
    report = await parts.store.report()
    images = parts.store.list_images()
    with_layer = _images_with_layer(images, text)
    if with_layer:
        return _why_layer(parts, report, text, with_layer)
    record = find_image(parts, text)
    holders = [one.fields() for one in Keepers(parts, report).of(record)]
    return {
        "schema": "lading.why/v1",
        "target": {
            "kind": "image",
            "id": record.id,
            "names": list(record.repo_tags or record.repo_digests),
            "size_bytes": report.image_bytes(record),
        },
        "holders": holders,
        "freed_bytes": report.freed_by([record], images),
    }


def _images_with_layer(images: tuple[ImageRecord, ...], text: str) -> list[ImageRecord]:
    return [
        record
        for record in images
        if any(text in (one.digest, one.diff_id, one.chain_id) for one in record.layers)
    ]


def _why_layer(
    parts: AdminParts, report: DiskReport, text: str, images: list[ImageRecord]
) -> dict[str, object]:
    chain_id = next(
        one.chain_id for one in images[0].layers if text in (one.digest, one.diff_id, one.chain_id)
    )
    keepers = Keepers(parts, report)
    holders: list[dict[str, object]] = [
        {
            "kind": "image",
            "object": (record.repo_tags or record.repo_digests or (record.id,))[0],
            "state": "",
            "since": "",
            "until": "",
            "holders": [one.fields() for one in keepers.of(record)],
        }
        for record in images
    ]
    return {
        "schema": "lading.why/v1",
        "target": {
            "kind": "layer",
            "id": chain_id,
            "names": [],
            "size_bytes": report.bytes_of([chain_id]),
        },
        "holders": holders,
        "freed_bytes": report.freed_by(images, parts.store.list_images()),
    }
