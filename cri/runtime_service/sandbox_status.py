"""PodSandboxStatus. From memory alone; verbose adds what an operator wants to see of the pod, as JSON."""

import json

from google.protobuf.json_format import MessageToDict

from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.sandbox import sandbox_status
from runtime.records.sandbox import SandboxRecord, SandboxState


async def pod_sandbox_status(
    parts: RuntimeParts, request: api_pb2.PodSandboxStatusRequest
) -> api_pb2.PodSandboxStatusResponse:
    """Answer PodSandboxStatus.

    Raises:
        NotFound: there is no such pod; the kubelet tolerates it between List and Status.
    """
    record = parts.node.sandbox(request.pod_sandbox_id)
    status = sandbox_status(record)
    info = {"info": json.dumps(_info(parts, record, status))} if request.verbose else {}
    return api_pb2.PodSandboxStatusResponse(status=status, info=info)


def _info(
    parts: RuntimeParts, record: SandboxRecord, status: api_pb2.PodSandboxStatus
) -> dict[str, object]:
    node = parts.node
    namespaces = node.paths.namespaces(record.id)
    return {
        "pid": record.pause_pid,
        "runtimeHandler": record.handler,
        "runtimeType": "oci",
        "netNamespaceClosed": record.state is SandboxState.NOTREADY,
        "networkNamespace": str(namespaces / "net"),
        "hostname": record.hostname,
        "cgroupParent": record.config.linux.cgroup_parent,
        "networkAttached": record.network_attached,
        "cniResult": _json_or_none(record.network_result),
        "cniConfig": _json_or_none(record.network_config),
        "containers": [container.id for container in node.containers_of(record.id)],
        "running": node.operations.explain(record.id),
        "namespaceOptions": MessageToDict(status.linux.namespaces.options),
    }


def _json_or_none(text: str) -> object:
    return json.loads(text) if text else None
