"""Checks of a container's mounts, volumes and devices before anything is made for them.

Only the request is looked at; sources are found and opened by others, below the roots that they belong to.
"""

from collections.abc import Iterable

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerConfig, Device, Mount, MountPropagation
from runtime.spec.path_text import clean_path, is_at_or_below, is_plain_relative
from runtime.spec.request import RuntimeFeatures
from runtime.spec.text_limits import check_count, check_text, check_texts, shown

MAX_MOUNTS = 4096
"""A pod can have thousands of volumes in theory; the kernel stops at 100 000 mounts per namespace (sysctl fs.mount-max)."""

_OPTIONS = frozenset({"noexec", "nodev", "nosuid"})
_KERNEL_PLACES = ("/proc", "/sys", "/dev")

_RRO = "RROUnsupported"
_IMAGE_VOLUME = "ImageVolumeMountFailed"
"""Prefixes that the kubelet matches (peers: CreateContainer)."""


def check_mounts(subject: str, config: ContainerConfig, features: RuntimeFeatures) -> None:
    """Refuse mounts and devices that cannot be.

    Raises:
        InvalidArgument: one cannot; the message names its place in the container.
    """
    check_count(subject, "mounts", len(config.mounts), MAX_MOUNTS)
    check_count(subject, "devices", len(config.devices), MAX_MOUNTS)
    for mount in config.mounts:
        _check_mount(subject, mount, features)
    for device in config.devices:
        _check_device(subject, device)


def check_volumes(subject: str, paths: Iterable[str]) -> None:
    """Refuse VOLUMEs of an image over the root or a kernel file system (security rule E1).

    Raises:
        InvalidArgument: one is there.
    """
    for path in paths:
        check_text(subject, "a VOLUME", path)
        check_volume(subject, path, leads_to=path)


def check_volume(subject: str, path: str, *, leads_to: str) -> None:
    """Refuse a VOLUME that is, or by links of its image leads, over the root or a kernel file system.

    Raises:
        InvalidArgument: it does.
    """
    place = clean_path(leads_to)
    if place == "/" or any(is_at_or_below(place, kernel) for kernel in _KERNEL_PLACES):
        cause = f"has a VOLUME at {shown(path)}, where the system's own files are"
        raise _refused(subject, cause, "move it, or use another image", "BadVolume")


def _check_mount(subject: str, mount: Mount, features: RuntimeFeatures) -> None:
    check_texts(subject, "a mount path", (mount.container_path, mount.host_path, mount.image))
    where = f"mount at {shown(mount.container_path)}"
    if not mount.container_path.startswith("/") or clean_path(mount.container_path) == "/":
        cause = f"has a {where}, which is no absolute path below the root"
        raise _refused(subject, cause, "set container_path", "BadContainerPath")
    if bool(mount.host_path) == bool(mount.image):
        cause = f"has a {where} with {'both' if mount.image else 'neither'} host path and image"
        raise _refused(subject, cause, "set one of the two", "BadMountSource")
    if mount.host_path and not mount.host_path.startswith("/"):
        cause = f"has a {where} whose host path is not absolute"
        raise _refused(subject, cause, "set an absolute host_path", "BadHostPath")
    _check_options(subject, where, mount, features)
    _check_recursive(subject, where, mount, features)
    _check_mappings(subject, where, mount, features)
    if mount.image:
        _check_image_volume(subject, where, mount)
    elif mount.image_sub_path:
        cause = f"has a {where} with an image sub path, but no image"
        raise _refused(subject, cause, "remove image_sub_path", "BadMountSource")


def _check_options(subject: str, where: str, mount: Mount, features: RuntimeFeatures) -> None:
    unknown = sorted(set(mount.mount_options) - _OPTIONS)
    if unknown:
        cause = f"has a {where} with the unknown option {shown(unknown[0])}"
        raise _refused(subject, cause, f"use {', '.join(sorted(_OPTIONS))}", "BadMountOption")
    if mount.mount_options and not features.mount_options:
        cause = f"has a {where} with options that this handler's runtime cannot set"
        raise _refused(subject, cause, "use a handler that can", "MountOptionsUnsupported")


def _check_recursive(subject: str, where: str, mount: Mount, features: RuntimeFeatures) -> None:
    if not mount.recursive_read_only:
        return
    if not mount.readonly:
        cause, remedy = f"has a recursively read-only {where} that is not read-only", "set readonly"
    elif mount.propagation is not MountPropagation.PRIVATE:
        cause = f"has a recursively read-only {where} that is not private"
        remedy = "use propagation PRIVATE"
    elif not features.recursive_read_only_mounts:
        cause = f"has a recursively read-only {where}, which this handler's runtime cannot do"
        remedy = "use a newer runtime and a kernel of at least 5.12"
    else:
        return
    raise _refused(subject, cause, remedy, _RRO, prefix=_RRO)


def _check_mappings(subject: str, where: str, mount: Mount, features: RuntimeFeatures) -> None:
    mapped = bool(mount.uid_mappings or mount.gid_mappings)
    # runc 1.1 ignores the mapping without a word, and the volume is then unreadable.
    if mapped and not features.user_namespaces:
        cause = f"has an id-mapped {where}, which this handler's runtime cannot do"
        raise _refused(subject, cause, "use a runtime with idmap", "IdMapUnsupported")


def _check_image_volume(subject: str, where: str, mount: Mount) -> None:
    if not mount.readonly:
        cause = f"has an image volume {where} that is not read-only"
        raise _refused(subject, cause, "set readonly", "ImageVolumeWritable", prefix=_IMAGE_VOLUME)
    if mount.image_sub_path and not is_plain_relative(mount.image_sub_path):
        cause = f"has an image volume {where} with a sub path that leaves the image"
        remedy = "use a relative path without .."
        raise _refused(subject, cause, remedy, "BadImageSubPath", prefix=_IMAGE_VOLUME)
    check_text(subject, "an image sub path", mount.image_sub_path)


def _check_device(subject: str, device: Device) -> None:
    check_texts(subject, "a device path", (device.host_path, device.container_path))
    where = f"device {shown(device.host_path)}"
    if not device.host_path.startswith("/") or not (device.container_path or "/").startswith("/"):
        cause = f"has the {where} with a path that is not absolute"
        raise _refused(subject, cause, "set absolute paths", "BadDevicePath")
    if not set(device.permissions) <= set("rwm"):
        cause = f"has the {where} with the permissions {shown(device.permissions)}"
        raise _refused(subject, cause, "use letters of rwm", "BadDevicePermissions")


def _refused(
    subject: str, cause: str, remedy: str, reason: str, *, prefix: str = ""
) -> InvalidArgument:
    return InvalidArgument(subject, cause, remedy=remedy, reason=reason, prefix=prefix)
