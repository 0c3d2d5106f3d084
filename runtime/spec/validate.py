"""Checks that fail a request before anything is made for it."""

from runtime.records.container import ContainerConfig
from runtime.records.sandbox import SandboxConfig
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import HostFacts, RuntimeFeatures, SpecRequest


def validate_sandbox(config: SandboxConfig, features: RuntimeFeatures) -> None:
    """Check a pod before its namespaces are made. Raises InvalidArgument."""
    raise NotImplementedError


def validate_container(
    config: ContainerConfig, sandbox: SandboxConfig, features: RuntimeFeatures, host: HostFacts
) -> None:
    """Check a container before its root filesystem is mounted. Raises InvalidArgument."""
    raise NotImplementedError


def validate_image(image: ImageDefaults) -> None:
    """Check what an image says about its containers. Raises InvalidArgument."""
    raise NotImplementedError


def validate_request(request: SpecRequest) -> None:
    """Check what only the whole request can tell; container_spec calls it. Raises InvalidArgument."""
    raise NotImplementedError
