"""PullImage. Answers with the image's id, the same word as in Image.id and Container.image_id."""

from cri.api import api_pb2
from cri.image_service.image_status import require_image
from cri.image_service.parts import ImageParts
from cri.translate.image import registry_auth
from image.errors import InvalidArgument
from image.model.records import RegistryAuth


async def pull_image(
    parts: ImageParts, request: api_pb2.PullImageRequest
) -> api_pb2.PullImageResponse:
    """Answer PullImage.

    Raises:
        InvalidArgument: no image is named, or the runtime handler is unknown.
    """
    reference = require_image(request.image)
    _require_handler(parts, request.image.runtime_handler)
    record = await parts.puller.pull(reference, auth=_auth(request))
    return api_pb2.PullImageResponse(image_ref=record.id)


def _auth(request: api_pb2.PullImageRequest) -> RegistryAuth | None:
    # The kubelet sends an empty AuthConfig for pods without secrets.
    if not request.HasField("auth") or request.auth == api_pb2.AuthConfig():
        return None
    return registry_auth(request.auth)


def _require_handler(parts: ImageParts, name: str) -> None:
    if name and name not in parts.handlers:
        raise InvalidArgument(
            f"runtime handler {name[:100]}",
            "is not configured on this node",
            remedy=f"use one of {', '.join(sorted(parts.handlers))}",
            reason="UnknownHandler",
        )
