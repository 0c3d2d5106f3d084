"""The verb `image/export`: images as one tar in the form of an OCI layout, streamed out of the store.

What is exported cannot be removed meanwhile: its layers are held like those of a running pull.
"""

import asyncio
from collections.abc import AsyncGenerator

from cri.admin.arguments import Arguments
from cri.admin.http_messages import Reply, Request
from cri.admin.image_lookup import find_image, pinned_names
from cri.admin.parts import AdminParts
from image.store.image_export import ExportPlan, archive_pieces, plan_export
from image.store.image_store import PullSpace

TAR = "application/x-tar"


async def export_images(parts: AdminParts, request: Request, arguments: Arguments) -> Reply:
    """Answer `image/export`; `references` are names or ids with commas between them.

    Raises:
        NotFound: an image is not on this node.
        FailedPrecondition: a layer is not kept as a tar.
    """
    texts = [text for text in arguments.text("references").split(",") if text]
    arguments.finish()
    records = [(find_image(parts, text), text) for text in texts]
    space = await parts.store.begin_pull()
    try:
        await space.claim(
            tuple({layer.chain_id for record, _ in records for layer in record.layers})
        )
        images = [
            (record, await parts.store.read_blob(record.id), pinned_names(record, text))
            for record, text in records
        ]
        plan = plan_export(parts.store.root, images, await parts.store.report())
    except BaseException:
        await space.close()
        raise
    return Reply(media_type=TAR, body=_stream(plan, space))


async def _stream(plan: ExportPlan, space: PullSpace) -> AsyncGenerator[bytes, None]:
    pieces = archive_pieces(plan)
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        await space.close()
