"""Records and messages for tests of this package, with every field set that a mapping could forget."""

from dataclasses import replace

from cri.api import api_pb2
from image.model.image_config import ImageConfig
from image.model.records import ImageRecord, LayerRecord
from runtime.records.container import (
    ContainerConfig,
    ContainerMetadata,
    ContainerRecord,
    ContainerState,
    ContainerUser,
)
from runtime.records.sandbox import (
    PodAddresses,
    SandboxConfig,
    SandboxMetadata,
    SandboxRecord,
    SandboxState,
)

SANDBOX_ID = "a" * 64
CONTAINER_ID = "b" * 64
IMAGE_ID = f"sha256:{'c' * 64}"
TAG = "registry.test/app:v1"
DIGEST_REFERENCE = f"registry.test/app@sha256:{'d' * 64}"


def sandbox_record(**changes: object) -> SandboxRecord:
    """Return a ready pod."""
    record = SandboxRecord(
        id=SANDBOX_ID,
        config=SandboxConfig(
            metadata=SandboxMetadata(name="web", namespace="default", uid="u-1", attempt=2),
            labels=(("app", "web"),),
            annotations=(("note", "x"),),
        ),
        runtime_handler="",
        handler="runc",
        state=SandboxState.READY,
        created_at_ns=17,
        addresses=PodAddresses(ip="10.0.0.2", additional_ips=("fd00::2",)),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def container_record(**changes: object) -> ContainerRecord:
    """Return a running container of that pod."""
    record = ContainerRecord(
        id=CONTAINER_ID,
        sandbox_id=SANDBOX_ID,
        config=ContainerConfig(
            metadata=ContainerMetadata(name="app", attempt=1),
            image=IMAGE_ID,
            user_specified_image=TAG,
            labels=(("app", "web"),),
        ),
        image_id=IMAGE_ID,
        state=ContainerState.RUNNING,
        created_at_ns=18,
        started_at_ns=19,
        log_path="/var/log/pods/web/app.log",
        user=ContainerUser(uid=1000, gid=1000, groups=(1000, 1234)),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def image_record(**changes: object) -> ImageRecord:
    """Return an image with one tag."""
    record = ImageRecord(
        id=IMAGE_ID,
        manifest_digest=f"sha256:{'d' * 64}",
        repo_tags=(TAG,),
        repo_digests=(DIGEST_REFERENCE,),
        size_bytes=4096,
        config=ImageConfig(architecture="amd64", os="linux", user="1000", cmd=("/bin/app",)),
        layers=(
            LayerRecord(digest="sha256:e", diff_id="sha256:f", chain_id="sha256:g", size_bytes=10),
        ),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def sandbox_config_message() -> api_pb2.PodSandboxConfig:
    """Return the smallest config that is accepted."""
    metadata = api_pb2.PodSandboxMetadata(name="web", namespace="default", uid="u-1")
    return api_pb2.PodSandboxConfig(metadata=metadata)


def container_config_message() -> api_pb2.ContainerConfig:
    """Return the smallest config that is accepted."""
    return api_pb2.ContainerConfig(
        metadata=api_pb2.ContainerMetadata(name="app"), image=api_pb2.ImageSpec(image=IMAGE_ID)
    )
