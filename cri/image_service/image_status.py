"""ImageStatus. An image that is not here is an empty answer, never an error: the kubelet then pulls it."""

import json

from cri.api import api_pb2
from cri.image_service.parts import ImageParts
from image.errors import InvalidArgument
from image.model.records import ImageRecord


async def image_status(
    parts: ImageParts, request: api_pb2.ImageStatusRequest
) -> api_pb2.ImageStatusResponse:
    """Answer ImageStatus; the answer is equal whichever name of an image was used.

    Raises:
        InvalidArgument: no image is named.
    """
    record = parts.store.find(require_image(request.image))
    if record is None:
        return api_pb2.ImageStatusResponse()
    info = {"info": json.dumps(_info(record))} if request.verbose else {}
    return api_pb2.ImageStatusResponse(image=parts.messages.message(record), info=info)


def require_image(spec: api_pb2.ImageSpec) -> str:
    """Return the image that a request names.

    Raises:
        InvalidArgument: it names none.
    """
    if not spec.image.strip():
        raise InvalidArgument(
            "image", "is not named", remedy="set image.image to a reference or id", reason="NoImage"
        )
    return spec.image


def _info(record: ImageRecord) -> dict[str, object]:
    config = record.config
    return {
        "chainID": record.layers[-1].chain_id if record.layers else "",
        "manifestDigest": record.manifest_digest,
        "layers": [
            {"digest": layer.digest, "diffID": layer.diff_id, "size": layer.size_bytes}
            for layer in record.layers
        ],
        "imageSpec": {
            "created": config.created,
            "architecture": config.architecture,
            "os": config.os,
            "variant": config.variant,
            "config": {
                "User": config.user,
                "ExposedPorts": {port: {} for port in config.exposed_ports},
                "Env": list(config.env),
                "Entrypoint": list(config.entrypoint),
                "Cmd": list(config.cmd),
                "Volumes": {path: {} for path in config.volumes},
                "WorkingDir": config.working_dir,
                "Labels": dict(config.labels),
                "StopSignal": config.stop_signal,
            },
            "rootfs": {"type": "layers", "diff_ids": list(config.diff_ids)},
        },
    }
