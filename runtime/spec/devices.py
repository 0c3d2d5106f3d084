"""Device nodes of a container and what its processes may do with them.

Everything is denied first; the OCI runtime itself adds null, zero, full, random, urandom, tty, ptmx and pts. Each device that
was asked for is made and allowed with its permissions. A privileged container gets the host's devices and may use all,
unless its handler says otherwise; what lies on the container's own /dev/pts, shm and mqueue is never taken from the host.
"""

from collections.abc import Iterable

from runtime.spec.document import Option, Spec, objects_at, put, set_value
from runtime.spec.path_text import clean_path, is_at_or_below
from runtime.spec.platform_defaults import DENY_ALL_DEVICES
from runtime.spec.request import ResolvedDevice, SpecRequest

ALLOW_ALL_DEVICES: Spec = {"allow": True, "type": "a", "access": "rwm"}

_DEVICES = ("linux", "devices")
_RULES = ("linux", "resources", "devices")
_OF_THE_CONTAINER = ("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/ptmx", "/dev/console", "/dev/fd")  # noqa: S108


def device_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's devices."""
    rules = [DENY_ALL_DEVICES, *(_rule(d) for d in request.devices if d.permissions)]
    devices = {clean_path(d.path): d for d in request.devices}
    if request.container.security.privileged:
        handler = request.handler
        if not handler.privileged_without_host_devices:
            devices = {**_host_devices(request.host_devices), **devices}
            rules = [ALLOW_ALL_DEVICES]
        elif handler.privileged_without_host_devices_all_devices_allowed:
            rules = [ALLOW_ALL_DEVICES]
    return (with_exact_device_rules(rules), with_devices(devices.values()))


def _host_devices(found: Iterable[ResolvedDevice]) -> dict[str, ResolvedDevice]:
    return {
        device.path: device
        for device in found
        if not any(is_at_or_below(device.path, own) for own in _OF_THE_CONTAINER)
    }


def with_devices(devices: Iterable[ResolvedDevice]) -> Option:
    """Make device nodes; one of the same path is replaced. Allowing them is another option."""
    wanted = {clean_path(device.path): _node(device) for device in devices}

    def option(spec: Spec) -> Spec:
        kept = [node for node in objects_at(spec, *_DEVICES) if node.get("path") not in wanted]
        return put(spec, _DEVICES, [*kept, *wanted.values()]) if wanted else spec

    return option


def with_device_rule(
    *, allow: bool, type: str = "a", major: int | None = None, minor: int | None = None, access: str
) -> Option:
    """Append a rule of the device cgroup; a missing number means every one."""
    numbers = (("major", major), ("minor", minor))
    rule: Spec = {
        "allow": allow,
        "type": type,
        **{key: number for key, number in numbers if number is not None},
        "access": access,
    }
    return lambda spec: put(spec, _RULES, [*objects_at(spec, *_RULES), rule])


def with_allowed_devices(devices: Iterable[ResolvedDevice]) -> Option:
    """Make device nodes and allow their use."""
    wanted = tuple(devices)
    rules = [_rule(device) for device in wanted if device.permissions]
    make = with_devices(wanted)
    return lambda spec: make(put(spec, _RULES, [*objects_at(spec, *_RULES), *rules]))


def with_exact_device_rules(rules: Iterable[Spec]) -> Option:
    """Set the rules of the device cgroup to exactly these."""
    return set_value(_RULES, list(rules))


def with_all_devices_allowed() -> Option:
    """Allow the use of every device."""
    return with_exact_device_rules([ALLOW_ALL_DEVICES])


def _node(device: ResolvedDevice) -> Spec:
    return {
        "path": clean_path(device.path),
        "type": device.type,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode & 0o7777,
        "uid": device.uid,
        "gid": device.gid,
    }


def _rule(device: ResolvedDevice) -> Spec:
    return {
        "allow": True,
        # An unbuffered character device is a character device to the cgroup (config-linux.md).
        "type": "c" if device.type == "u" else device.type,
        "major": device.major,
        "minor": device.minor,
        "access": device.permissions,
    }
