"""The order in which a container's spec is put together."""

from runtime.spec.document import Option, Spec
from runtime.spec.request import SpecRequest


def container_spec(request: SpecRequest) -> Spec:
    """Return the whole OCI spec of a container.

    Raises:
        InvalidArgument: the request asks for something that cannot be.
    """
    raise NotImplementedError


def spec_notes(request: SpecRequest) -> tuple[str, ...]:
    """Return what was clamped or left out because this host cannot give it, one line each."""
    raise NotImplementedError


def generate_spec(platform: str = "", *options: Option, host: str = "") -> Spec:
    """Return a platform's default spec with options applied in order; an empty platform is the host's.

    Raises:
        InvalidArgument: the platform is unknown.
    """
    raise NotImplementedError
