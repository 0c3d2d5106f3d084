"""Version. All four fields are told: clients refuse an answer that lacks one."""

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.version import CRI_VERSION, VERSION

KUBELET_API_VERSION = "0.1.0"
"""Version of the kubelet's side of the API, as both references answer it."""


async def version(parts: RuntimeParts, request: api_pb2.VersionRequest) -> api_pb2.VersionResponse:
    """Answer Version; the version that a client sends is not looked at."""
    return api_pb2.VersionResponse(
        version=KUBELET_API_VERSION,
        runtime_name="lading",
        runtime_version=VERSION,
        runtime_api_version=CRI_VERSION,
    )
