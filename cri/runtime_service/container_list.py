"""ListContainers and StreamContainers. From memory alone; an unknown id is an empty list."""

from collections.abc import AsyncGenerator

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.batches import batches
from cri.translate.list_filters import container_filter


async def list_containers(
    parts: RuntimeParts, request: api_pb2.ListContainersRequest
) -> api_pb2.ListContainersResponse:
    """Answer ListContainers."""
    return api_pb2.ListContainersResponse(containers=_wanted(parts, request.filter))


async def stream_containers(
    parts: RuntimeParts, request: api_pb2.StreamContainersRequest
) -> AsyncGenerator[api_pb2.StreamContainersResponse, None]:
    """Answer StreamContainers: the list as it is now, in parts."""
    for batch in batches(_wanted(parts, request.filter)):
        yield api_pb2.StreamContainersResponse(containers=batch)


def _wanted(parts: RuntimeParts, message: api_pb2.ContainerFilter) -> list[api_pb2.Container]:
    return parts.container_items.messages(parts.node.list_containers(container_filter(message)))
