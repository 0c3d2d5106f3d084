"""CreateContainer. The image must be on this node: pulling is the kubelet's decision, never a side effect."""

from cri import call_context
from cri.api import api_pb2
from cri.runtime_service.parts import RuntimeParts
from cri.translate.container import container_config
from image.model.image_config import ImageConfig
from image.model.records import ImageRecord
from runtime.errors import InvalidArgument, NotFound
from runtime.lifecycle.container_create import create_container
from runtime.records.container import ContainerConfig
from runtime.spec.image_defaults import ImageDefaults


async def create(
    parts: RuntimeParts, request: api_pb2.CreateContainerRequest
) -> api_pb2.CreateContainerResponse:
    """Answer CreateContainer.

    Raises:
        InvalidArgument: the config is missing or cannot be carried out.
        NotFound: the pod or the image is not here.
    """
    if not request.HasField("config"):
        raise InvalidArgument(
            "container",
            "has no config",
            remedy="send one with metadata and image",
            reason="ConfigMissing",
        )
    config = container_config(request.config)
    call_context.bind(container_name=config.metadata.name)
    image = _local_image(parts, config)
    id = await create_container(
        parts.node, request.pod_sandbox_id, config, image.id, image_defaults(image.config)
    )
    return api_pb2.CreateContainerResponse(container_id=id)


def image_defaults(config: ImageConfig) -> ImageDefaults:
    """Return what a container inherits from its image."""
    return ImageDefaults(
        env=config.env,
        entrypoint=config.entrypoint,
        cmd=config.cmd,
        working_dir=config.working_dir,
        user=config.user,
        stop_signal=config.stop_signal,
        volumes=config.volumes,
    )


def _local_image(parts: RuntimeParts, config: ContainerConfig) -> ImageRecord:
    found = parts.images.find(config.image)
    if found is None:
        raise NotFound(
            f"create {config.metadata.name}",
            f"image {config.image[:200]} is not on this node",
            remedy="pull it first",
            reason="ImageNotPresent",
        )
    return found
