"""ListImages and StreamImages. A filter's image is looked up as everywhere else; without one all images are told."""

from collections.abc import AsyncGenerator, Sequence

from cri.api import api_pb2
from cri.image_service.parts import ImageParts
from cri.translate.batches import batches


async def list_images(
    parts: ImageParts, request: api_pb2.ListImagesRequest
) -> api_pb2.ListImagesResponse:
    """Answer ListImages: one entry per image id with all its names."""
    return api_pb2.ListImagesResponse(images=_wanted(parts, request.filter))


async def stream_images(
    parts: ImageParts, request: api_pb2.StreamImagesRequest
) -> AsyncGenerator[api_pb2.StreamImagesResponse, None]:
    """Answer StreamImages."""
    for batch in batches(_wanted(parts, request.filter)):
        yield api_pb2.StreamImagesResponse(images=batch)


def _wanted(parts: ImageParts, message: api_pb2.ImageFilter) -> Sequence[api_pb2.Image]:
    text = message.image.image
    if not text:
        return parts.messages.messages(parts.store.list_images())
    found = parts.store.find(text)
    return [] if found is None else [parts.messages.message(found)]
