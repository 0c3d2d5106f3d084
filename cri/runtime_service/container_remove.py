"""RemoveContainer. A running container is killed first; one that is not there is success. Its log stays."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.container_remove import remove_container


async def remove(
    parts: RuntimeParts, request: api_pb2.RemoveContainerRequest
) -> api_pb2.RemoveContainerResponse:
    """Answer RemoveContainer."""
    await remove_container(parts.node, request.container_id)
    return api_pb2.RemoveContainerResponse()
