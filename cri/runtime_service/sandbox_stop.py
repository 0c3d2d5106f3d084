"""StopPodSandbox. Repeatable; a pod that is not there is success."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.sandbox_stop import stop_sandbox


async def stop_pod_sandbox(
    parts: RuntimeParts, request: api_pb2.StopPodSandboxRequest
) -> api_pb2.StopPodSandboxResponse:
    """Answer StopPodSandbox: containers ended, network and namespaces given back."""
    await stop_sandbox(parts.node, request.pod_sandbox_id)
    return api_pb2.StopPodSandboxResponse()
