"""The verb `image/inspect`: one image with its documents and layers, and what each layer takes on disk."""

import json

from cri.admin.arguments import Arguments
from cri.admin.image_keepers import Keepers
from cri.admin.image_list import image_fields
from cri.admin.image_lookup import find_image
from cri.admin.parts import AdminParts
from image.model.records import LayerRecord
from image.store.disk_report import DiskReport, count_shares


async def inspect_image(parts: AdminParts, arguments: Arguments) -> dict[str, object]:
    """Answer `image/inspect`.

    Raises:
        NotFound: the image is not on this node.
        Internal: a stored document is damaged.
    """
    record = find_image(parts, arguments.text("reference"))
    arguments.finish()
    report = await parts.store.report()
    shares = count_shares(parts.store.list_images())
    return {
        "schema": "lading.image-inspect/v1",
        **image_fields(record, report, shares, Keepers(parts, report)),
        "manifest_digest": record.manifest_digest,
        "source": record.source,
        "config_source": record.config_source,
        "layers": [_layer(one, report, shares.get(one.chain_id, 0)) for one in record.layers],
        "manifest": await _document(parts, record.manifest_digest),
        "config": await _document(parts, record.id),
    }


def _layer(layer: LayerRecord, report: DiskReport, images: int) -> dict[str, object]:
    kept = report.layers.get(layer.chain_id)
    return {
        "digest": layer.digest,
        "diff_id": layer.diff_id,
        "chain_id": layer.chain_id,
        "download_bytes": layer.size_bytes,
        "size_bytes": kept.used_bytes if kept else 0,
        "inodes": kept.inodes if kept else 0,
        "kind": kept.kind if kept else "missing",
        "images": images,
        "source": layer.source,
    }


async def _document(parts: AdminParts, digest: str) -> object:
    document: object = json.loads(await parts.store.read_blob(digest))
    return document
