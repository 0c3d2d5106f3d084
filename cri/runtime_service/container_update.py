"""UpdateContainerResources. Zero and empty fields leave a limit as it is."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.resources import linux_resources
from runtime.lifecycle.resource_update import update_container


async def update_resources(
    parts: RuntimeParts, request: api_pb2.UpdateContainerResourcesRequest
) -> api_pb2.UpdateContainerResourcesResponse:
    """Answer UpdateContainerResources; ContainerStatus tells the new limits from then on.

    Raises:
        NotFound: there is no such container.
    """
    annotations = tuple(sorted(request.annotations.items()))
    resources = linux_resources(request.linux)
    await update_container(parts.node, request.container_id, resources, annotations)
    return api_pb2.UpdateContainerResourcesResponse()
