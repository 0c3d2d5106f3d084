"""RemoveImage. Repeatable, and gone for everyone as soon as it answers."""

from cri.api import api_pb2
from cri.image_service.image_status import require_image
from cri.image_service.parts import ImageParts


async def remove_image(
    parts: ImageParts, request: api_pb2.RemoveImageRequest
) -> api_pb2.RemoveImageResponse:
    """Answer RemoveImage.

    Raises:
        InvalidArgument: no image is named.
    """
    await parts.store.remove(require_image(request.image))
    return api_pb2.RemoveImageResponse()
