"""RemovePodSandbox. Repeatable; a pod that runs is stopped first, one that is not there is success."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.sandbox_remove import remove_sandbox


async def remove_pod_sandbox(
    parts: RuntimeParts, request: api_pb2.RemovePodSandboxRequest
) -> api_pb2.RemovePodSandboxResponse:
    """Answer RemovePodSandbox: the pod, its containers and its names are gone."""
    await remove_sandbox(parts.node, request.pod_sandbox_id)
    return api_pb2.RemovePodSandboxResponse()
