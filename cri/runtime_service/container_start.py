"""StartContainer. Only a created container starts, and only once."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.container_start import start_container


async def start(
    parts: RuntimeParts, request: api_pb2.StartContainerRequest
) -> api_pb2.StartContainerResponse:
    """Answer StartContainer.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it was started before.
    """
    await start_container(parts.node, request.container_id)
    return api_pb2.StartContainerResponse()
