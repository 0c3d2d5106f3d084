"""StopContainer. Answers when the container has ended; one that is not there or not running is success."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.container_stop import stop_container


async def stop(
    parts: RuntimeParts, request: api_pb2.StopContainerRequest
) -> api_pb2.StopContainerResponse:
    """Answer StopContainer. A timeout of 0, or below, kills at once."""
    await stop_container(parts.node, request.container_id, max(0, request.timeout))
    return api_pb2.StopContainerResponse()
