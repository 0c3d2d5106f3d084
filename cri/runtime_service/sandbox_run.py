"""RunPodSandbox. Answers when the pod is READY with its network up."""

from cri import call_context
from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.sandbox import sandbox_config
from runtime.errors import InvalidArgument
from runtime.lifecycle.sandbox_start import run_sandbox


async def run_pod_sandbox(
    parts: RuntimeParts, request: api_pb2.RunPodSandboxRequest
) -> api_pb2.RunPodSandboxResponse:
    """Answer RunPodSandbox.

    Raises:
        InvalidArgument: the config is missing or cannot be carried out.
    """
    if not request.HasField("config"):
        raise InvalidArgument(
            "pod sandbox", "has no config", remedy="send one with metadata", reason="ConfigMissing"
        )
    config = sandbox_config(request.config)
    call_context.bind(pod_name=f"{config.metadata.namespace}/{config.metadata.name}")
    id = await run_sandbox(parts.node, config, request.runtime_handler)
    return api_pb2.RunPodSandboxResponse(pod_sandbox_id=id)
