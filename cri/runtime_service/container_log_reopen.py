"""ReopenContainerLog. When it answers the new file exists: the kubelet has renamed the old one before."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from runtime.lifecycle.container_log import reopen_log


async def reopen_container_log(
    parts: RuntimeParts, request: api_pb2.ReopenContainerLogRequest
) -> api_pb2.ReopenContainerLogResponse:
    """Answer ReopenContainerLog.

    Raises:
        NotFound: there is no such container.
        FailedPrecondition: it is not running.
    """
    await reopen_log(parts.node, request.container_id)
    return api_pb2.ReopenContainerLogResponse()
