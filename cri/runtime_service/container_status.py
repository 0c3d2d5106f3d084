"""ContainerStatus. From memory alone; verbose adds what an operator wants to see of the container, as JSON."""

import asyncio
import json
from pathlib import Path

from cri.api import api_pb2
from cri.runtime_service.parts import ImageLookup, RuntimeParts
from cri.translate.container import container_status
from runtime.records.container import ContainerRecord


async def status(
    parts: RuntimeParts, request: api_pb2.ContainerStatusRequest
) -> api_pb2.ContainerStatusResponse:
    """Answer ContainerStatus.

    Raises:
        NotFound: there is no such container; the kubelet tolerates it between List and Status.
    """
    record = parts.node.container(request.container_id)
    message = status_message(parts.images, record)
    if not request.verbose:
        return api_pb2.ContainerStatusResponse(status=message)
    spec = await asyncio.to_thread(_read_spec, parts.node.paths.bundle(record.id) / "config.json")
    info = {"info": json.dumps(_info(parts, record, spec))}
    return api_pb2.ContainerStatusResponse(status=message, info=info)


def status_message(images: ImageLookup, record: ContainerRecord) -> api_pb2.ContainerStatus:
    """Return a container's status with the names its image has now."""
    name, reference = image_names(images, record)
    return container_status(record, image_name=name, image_ref=reference)


def image_names(images: ImageLookup, record: ContainerRecord) -> tuple[str, str]:
    """Return what the image is called and its digest reference; neither is empty even when it was removed.

    The name is the one its pod's author wrote when the image still has it, else its first tag.
    """
    image = images.find(record.image_id)
    asked = record.config.image
    if image is None:
        return asked, record.image_id
    wanted = record.config.user_specified_image or asked
    tags = image.repo_tags
    name = next((tag for tag in tags if tag == wanted or tag.endswith(f"/{wanted}")), None)
    if name is None:
        name = tags[0] if tags else asked
    return name, image.repo_digests[0] if image.repo_digests else image.id


def _info(
    parts: RuntimeParts, record: ContainerRecord, spec: dict[str, object] | None
) -> dict[str, object]:
    return {
        "sandboxID": record.sandbox_id,
        "pid": record.pid,
        "monitorPid": record.monitor_pid,
        "privileged": record.config.security.privileged,
        "runtimeHandler": record.handler,
        "runtimeType": "oci",
        "cgroupsPath": record.cgroups_path,
        "removing": parts.node.operations.busy(record.id),
        "running": parts.node.operations.explain(record.id),
        "runtimeSpec": spec,
    }


def _read_spec(path: Path) -> dict[str, object] | None:
    """Return the OCI spec of the bundle, None when the container is gone meanwhile."""
    try:
        spec = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return spec if isinstance(spec, dict) else None
