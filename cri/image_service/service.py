"""The ImageService: which file answers which call. Dispatch only."""

from functools import partial

from cri.api import api_pb2
from cri.grpc_errors import pull_status_for
from cri.grpc_interceptor import NOBODY, CallObserver
from cri.grpc_methods import MethodTable
from cri.image_service.image_fs_info import image_fs_info
from cri.image_service.image_list import list_images, stream_images
from cri.image_service.image_pull import pull_image
from cri.image_service.image_remove import remove_image
from cri.image_service.image_status import image_status
from cri.image_service.parts import ImageParts


def image_methods(parts: ImageParts, observer: CallObserver = NOBODY) -> MethodTable:
    """Return the table of the service."""
    table = MethodTable(api_pb2.DESCRIPTOR.services_by_name["ImageService"], observer)
    table.unary("ListImages", partial(list_images, parts))
    table.stream("StreamImages", partial(stream_images, parts))
    table.unary("ImageStatus", partial(image_status, parts))
    table.unary("PullImage", partial(pull_image, parts), status_of=pull_status_for)
    table.unary("RemoveImage", partial(remove_image, parts))
    table.unary("ImageFsInfo", partial(image_fs_info, parts))
    return table
