"""ImageFsInfo: the space of images and of writable layers. The kubelet decides about eviction by it."""

from cri.api import api_pb2
from cri.image_service.parts import ImageParts
from cri.translate.image import filesystem_usage


async def image_fs_info(
    parts: ImageParts, request: api_pb2.ImageFsInfoRequest
) -> api_pb2.ImageFsInfoResponse:
    """Answer ImageFsInfo; clients connect by this call, so it answers even while nothing was measured yet."""
    images = await parts.store.filesystem_usage()
    containers = await parts.container_filesystem()
    return api_pb2.ImageFsInfoResponse(
        image_filesystems=[filesystem_usage(images)],
        container_filesystems=[] if containers is None else [filesystem_usage(containers)],
    )
