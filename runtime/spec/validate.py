"""Checks that fail a request before anything is made for it.

Each refusal is an InvalidArgument that names the object and the field, says what to do, and never quotes a value at length.
`validate_sandbox` comes first in RunPodSandbox; `validate_image` and `validate_container` in CreateContainer before the root
filesystem is mounted; `validate_request` is `container_spec`'s own and repeats none of them but what the image decides.
"""

import ipaddress

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerConfig
from runtime.records.sandbox import PortMapping, SandboxConfig
from runtime.spec.capabilities import check_capabilities
from runtime.spec.environment import container_environment
from runtime.spec.hostname_and_dns import check_dns, check_hostname
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.path_text import clean_path, is_at_or_below, is_plain_relative
from runtime.spec.process import container_args, container_cwd
from runtime.spec.request import HostFacts, RuntimeFeatures, SpecRequest
from runtime.spec.stop_signal import stop_signal
from runtime.spec.sysctls import pod_sysctls
from runtime.spec.text_limits import (
    MAX_ARGUMENT,
    check_count,
    check_printable,
    check_text,
    check_texts,
    check_total,
    shown,
)
from runtime.spec.validate_mounts import check_mounts, check_volumes
from runtime.spec.validate_resources import check_resources
from runtime.spec.validate_security import check_container_security, check_pod_security

MAX_ARGUMENTS = 65536
"""Arguments and environment entries each; the kernel's own limit is by total size (execve(2))."""

_SEPARATORS = ";=\\"
"""What CNI_ARGS is made of (CNI specification, parameters), where a pod's names go."""

_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})


def validate_sandbox(config: SandboxConfig, features: RuntimeFeatures) -> None:
    """Check a pod before its namespaces are made.

    Raises:
        InvalidArgument: it cannot be made.
    """
    metadata = config.metadata
    subject = f"pod {metadata.namespace[:64]}/{metadata.name[:64]}"
    for what in ("name", "namespace", "uid"):
        _check_name(subject, what, getattr(metadata, what), without=f"{_SEPARATORS}/")
    if config.hostname:
        check_hostname(config.hostname)
    if config.dns is not None:
        check_dns(config.dns)
    if config.log_directory and not config.log_directory.startswith("/"):
        raise _refused(subject, "has a log_directory that is not absolute", "BadLogDirectory")
    check_printable(subject, "log_directory", config.log_directory)
    check_printable(subject, "cgroup_parent", config.linux.cgroup_parent)
    check_total(subject, "annotations", config.annotations)
    check_total(subject, "labels", config.labels)
    for mapping in config.port_mappings:
        _check_port(subject, mapping)
    check_pod_security(subject, config, features)
    pod_sysctls(config)


def validate_container(
    config: ContainerConfig, sandbox: SandboxConfig, features: RuntimeFeatures, host: HostFacts
) -> None:
    """Check a container before its root filesystem is mounted.

    Raises:
        InvalidArgument: it cannot be made.
    """
    pod = sandbox.metadata
    subject = f"container {pod.namespace}/{pod.name}/{config.metadata.name[:64]}"
    _check_name(subject, "name", config.metadata.name, without="/")
    _check_process(subject, config)
    if config.log_path and not is_plain_relative(config.log_path):
        raise _refused(subject, "has a log_path that leaves the pod's log directory", "BadLogPath")
    check_printable(subject, "log_path", config.log_path)
    check_total(subject, "annotations", config.annotations)
    check_total(subject, "labels", config.labels)
    check_texts(subject, "a CDI device", config.cdi_devices)
    check_mounts(subject, config, features)
    check_resources(subject, config.resources, host)
    check_capabilities(subject, config.security.capabilities, host)
    check_container_security(subject, config, sandbox)
    if config.stop_signal:
        stop_signal(config.stop_signal, "")


def validate_image(image: ImageDefaults) -> None:
    """Check what an image says about its containers. A bad stop signal matters only when nothing else is asked for.

    Raises:
        InvalidArgument: its volumes or working directory cannot be.
    """
    subject = "image"
    check_text(subject, "WORKDIR", image.working_dir)
    _check_cwd(subject, clean_path(image.working_dir))
    check_volumes(subject, image.volumes)
    _check_arguments(subject, (*image.entrypoint, *image.cmd), image.env)


def validate_request(request: SpecRequest) -> None:
    """Check what only request and image together can tell.

    Raises:
        InvalidArgument: there is no command, the working directory is under /proc, or HOME is no path.
    """
    subject = request.subject
    args = container_args(request.container, request.image)
    if not args or not args[0]:
        raise InvalidArgument(
            subject,
            "has no command, and neither has its image",
            remedy="set a command",
            reason="NoCommand",
        )
    _check_arguments(subject, args, request.image.env)
    _check_cwd(subject, container_cwd(request.container, request.image))
    for entry in container_environment(request):
        # Programs write HOME into lines of account files (CVE-2022-4318, security rule D2).
        if entry.startswith("HOME="):
            check_printable(subject, "HOME", entry)


def _check_process(subject: str, config: ContainerConfig) -> None:
    env = [f"{name}={value}" for name, value in config.envs]
    _check_arguments(subject, (*config.command, *config.args), env)
    for name, _ in config.envs:
        if not name or "=" in name:
            raise _refused(subject, f"has a variable named {shown(name)}", "BadVariable")
    check_text(subject, "working_dir", config.working_dir)
    _check_cwd(subject, clean_path(config.working_dir))


def _check_arguments(subject: str, args: tuple[str, ...], env: list[str] | tuple[str, ...]) -> None:
    check_count(subject, "arguments", len(args), MAX_ARGUMENTS)
    check_count(subject, "variables", len(env), MAX_ARGUMENTS)
    check_texts(subject, "an argument", args, limit=MAX_ARGUMENT)
    check_texts(subject, "a variable", env, limit=MAX_ARGUMENT)


def _check_cwd(subject: str, cwd: str) -> None:
    # /proc/self/fd/N is a directory of the host while the runtime starts (CVE-2024-21626, security rule G5).
    if is_at_or_below(cwd, "/proc"):
        raise _refused(subject, f"has the working directory {shown(cwd)}", "BadWorkingDirectory")


def _check_name(subject: str, what: str, value: str, *, without: str) -> None:
    if not value:
        raise InvalidArgument(subject, f"has no {what}", remedy=f"set {what}", reason="NoName")
    check_printable(subject, what, value, without=without)


def _check_port(subject: str, mapping: PortMapping) -> None:
    if mapping.protocol not in _PROTOCOLS:
        raise _refused(subject, f"has a port of protocol {shown(mapping.protocol)}", "BadPort")
    if not all(0 <= port <= 65535 for port in (mapping.container_port, mapping.host_port)):
        raise _refused(subject, "has a port that is not from 0 to 65535", "BadPort")
    if mapping.host_ip:
        try:
            ipaddress.ip_address(mapping.host_ip)
        except ValueError as error:
            cause = f"has a port on {shown(mapping.host_ip)}, which is no address"
            raise _refused(subject, cause, "BadPort") from error


def _refused(subject: str, cause: str, reason: str) -> InvalidArgument:
    return InvalidArgument(subject, cause, remedy="correct the pod", reason=reason)
