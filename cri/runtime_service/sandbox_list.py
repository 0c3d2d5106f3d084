"""ListPodSandbox and StreamPodSandboxes. From memory alone; an unknown id is an empty list."""

from collections.abc import AsyncGenerator

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.batches import batches
from cri.translate.list_filters import sandbox_filter


async def list_pod_sandbox(
    parts: RuntimeParts, request: api_pb2.ListPodSandboxRequest
) -> api_pb2.ListPodSandboxResponse:
    """Answer ListPodSandbox."""
    return api_pb2.ListPodSandboxResponse(items=_wanted(parts, request.filter))


async def stream_pod_sandboxes(
    parts: RuntimeParts, request: api_pb2.StreamPodSandboxesRequest
) -> AsyncGenerator[api_pb2.StreamPodSandboxesResponse, None]:
    """Answer StreamPodSandboxes: the list as it is now, in parts."""
    for batch in batches(_wanted(parts, request.filter)):
        yield api_pb2.StreamPodSandboxesResponse(pod_sandboxes=batch)


def _wanted(parts: RuntimeParts, message: api_pb2.PodSandboxFilter) -> list[api_pb2.PodSandbox]:
    return parts.sandbox_items.messages(parts.node.list_sandboxes(sandbox_filter(message)))
