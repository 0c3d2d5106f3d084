"""What a container's request names on the host: mount sources, devices, profiles.

Host paths of pods are touched only by the host's door, each with a deadline. All of it is looked up before the spec is
composed, so that composing reads nothing.
"""

import asyncio
from pathlib import Path, PurePosixPath

from runtime.errors import InvalidArgument
from runtime.host.host import DeviceNode
from runtime.lifecycle.container_rootfs import mount_image_volume
from runtime.lifecycle.node import MIB, Node
from runtime.records.container import ContainerRecord, Device, Mount
from runtime.records.security import ProfileKind
from runtime.spec.request import ResolvedDevice, ResolvedMount

_PROFILE_LIMIT = 4 * MIB


async def resolve_mounts(node: Node, record: ContainerRecord) -> tuple[ResolvedMount, ...]:
    """Find the source of every mount, all at once; a missing host path becomes a directory."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                _resolve_mount(node, record, number, mount),
                name=f"source of {mount.container_path}",
            )
            for number, mount in enumerate(record.config.mounts)
        ]
    return tuple(task.result() for task in tasks)


async def resolve_devices(node: Node, record: ContainerRecord) -> tuple[ResolvedDevice, ...]:
    """Find the devices that are asked for, directories walked."""
    found: list[ResolvedDevice] = []
    for device in record.config.devices:
        nodes = await node.host.find_devices(device.host_path)
        found.extend(_in_container(device, one) for one in nodes)
    return tuple(found)


async def all_host_devices(node: Node, record: ContainerRecord) -> tuple[ResolvedDevice, ...]:
    """Return every device of the host for a privileged container, none for others."""
    settings = node.settings_of(record.handler)
    if not record.config.security.privileged or settings.privileged_without_host_devices:
        return ()
    return tuple(_resolved(one, one.path, "rwm") for one in await node.host.host_devices())


async def localhost_seccomp(node: Node, record: ContainerRecord) -> str | None:
    """Return the text of the seccomp profile file that is named, None when none is.

    Raises:
        InvalidArgument: the file does not exist or is no text.
    """
    profile = record.config.security.seccomp
    if profile is None or profile.kind is not ProfileKind.LOCALHOST:
        return None
    subject = f"seccomp profile {profile.localhost_ref[:200]!r}"
    if not profile.localhost_ref.startswith("/"):
        raise InvalidArgument(subject, "is no absolute path", reason="BadSeccompProfile")
    content = await node.host.read_below(Path("/"), profile.localhost_ref, _PROFILE_LIMIT)
    if content is None:
        raise InvalidArgument(subject, "does not exist", reason="BadSeccompProfile")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(subject, "is no text", reason="BadSeccompProfile") from error


async def _resolve_mount(
    node: Node, record: ContainerRecord, number: int, mount: Mount
) -> ResolvedMount:
    if mount.image:
        return await mount_image_volume(node, record, number, mount)
    found = await node.host.resolve_source(
        mount.host_path, create=True, deadline_seconds=node.settings.source_seconds
    )
    return ResolvedMount(mount=mount, source=found.path)


def _in_container(device: Device, found: DeviceNode) -> ResolvedDevice:
    top = PurePosixPath(device.container_path or device.host_path)
    if found.path == device.host_path or not found.path.startswith(f"{device.host_path}/"):
        return _resolved(found, str(top), device.permissions)  # a link names its device otherwise
    below = PurePosixPath(found.path).relative_to(device.host_path)
    return _resolved(found, str(top / below), device.permissions)


def _resolved(found: DeviceNode, path: str, permissions: str) -> ResolvedDevice:
    return ResolvedDevice(
        path=path,
        type=found.kind,
        major=found.major,
        minor=found.minor,
        mode=found.mode & 0o777,
        uid=found.uid,
        gid=found.gid,
        permissions=permissions,
    )
