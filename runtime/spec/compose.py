"""The order in which a container's spec is put together.

Starts from the default spec of Linux, or the handler's base spec, and folds one group of options per concern over it. Groups
are independent of each other, except that the first ones name what the container is and the last ones confine it. What a
node plugin (CDI, NRI) changes comes after, on the finished spec. Never reads anything but the request, and never changes
a document that it was given: a spec can be shared.
"""

from collections.abc import Callable

from runtime.spec.annotations import annotation_options
from runtime.spec.capabilities import capability_notes, capability_options
from runtime.spec.devices import device_options
from runtime.spec.document import Option, Spec, apply
from runtime.spec.environment import environment_options
from runtime.spec.mounts import mount_options
from runtime.spec.namespaces import namespace_options
from runtime.spec.platform_defaults import default_spec
from runtime.spec.process import process_notes, process_options
from runtime.spec.request import SpecRequest
from runtime.spec.resources import resource_notes, resource_options
from runtime.spec.security_profiles import security_options, with_root
from runtime.spec.user import user_options
from runtime.spec.validate import validate_request
from runtime.spec.whole_spec import with_spec

_CONCERNS: tuple[Callable[[SpecRequest], tuple[Option, ...]], ...] = (
    process_options,
    environment_options,
    user_options,
    mount_options,
    namespace_options,
    device_options,
    resource_options,
    capability_options,
    annotation_options,
    security_options,
)


def container_spec(request: SpecRequest) -> Spec:
    """Return the whole OCI spec of a container.

    Raises:
        InvalidArgument: the request asks for something that cannot be.
    """
    validate_request(request)
    options = [option for concern in _CONCERNS for option in concern(request)]
    base = request.handler.base_spec
    start = [with_spec(base)] if base is not None else []
    return generate_spec("linux", *start, with_root(request.rootfs), *options, host="linux")


def spec_notes(request: SpecRequest) -> tuple[str, ...]:
    """Return what was clamped or left out because this host cannot give it, one line each."""
    return (*process_notes(request), *capability_notes(request), *resource_notes(request))


def generate_spec(platform: str = "", *options: Option, host: str = "") -> Spec:
    """Return a platform's default spec with options applied in order.

    `platform` is `linux` or `windows`, with an architecture if one likes (`linux/arm64`); empty is the host's. `host` is the
    system of the host, empty for this one: Linux on Windows gets an empty `windows` section.

    Raises:
        InvalidArgument: the platform is unknown.
    """
    return apply(default_spec(platform, host), *options)
