"""The taking apart of a pod or container by its record alone, however far its making came.

Every step is idempotent: it serves removal, the clean-up of what died half-way, and the repetition of either. It
changes no record and asks nobody.
"""

from runtime.lifecycle.node import Node
from runtime.lifecycle.sandbox_files import destroy_files
from runtime.lifecycle.sandbox_network import detach_network
from runtime.lifecycle.sandbox_pause import end_pause
from runtime.records.container import ContainerRecord
from runtime.records.sandbox import SandboxRecord
from runtime.spec.cgroups_path import filesystem_cgroup


async def dismantle_sandbox(node: Node, record: SandboxRecord) -> None:
    """Remove all that a pod without containers has outside the database.

    Raises:
        PodRuntimeError: a step failed; the later ones were not tried, as they may need it.
    """
    await end_pause(node, record)
    await detach_network(node, record)
    await node.host.destroy_namespaces(node.paths.namespaces(record.id))
    await destroy_files(node, record)
    await node.host.remove_tree(node.paths.pod(record.id))


async def dismantle_container(node: Node, record: ContainerRecord) -> None:
    """Remove all that a container has outside the database; it is killed if it still runs.

    Raises:
        PodRuntimeError: a step failed; the later ones were not tried, as they may need it.
    """
    await delete_from_runtime(node, record)
    await remove_rootfs(node, record)
    cgroup = filesystem_cgroup(record.cgroups_path)
    if cgroup:
        await node.host.remove_cgroup(cgroup)


async def delete_from_runtime(node: Node, record: ContainerRecord) -> None:
    """Let the driver forget the container; idempotent."""
    live = node.live.get(record.id)
    if live is not None and live.handle is not None:
        await live.handle.delete()
        await live.handle.close()
        live.handle = None
        return
    driver = node.drivers.get(record.handler)
    for one in (driver,) if driver else tuple(node.drivers.values()):
        await one.delete_leftover(record.id, node.paths.bundle(record.id))


async def remove_rootfs(node: Node, record: ContainerRecord) -> None:
    """Unmount the root filesystem, remove bundle and writable layer, release the images; idempotent."""
    bundle = node.paths.bundle(record.id)
    await node.host.unmount_below(bundle)
    await node.host.remove_tree(bundle)
    await node.host.remove_tree(node.paths.layer(record.id))
    for owner in image_owners(record):
        await node.images.release(owner)


def image_owners(record: ContainerRecord) -> tuple[str, ...]:
    """Return the names under which a container keeps images: its own id, and one per image volume."""
    volumes = (n for n, mount in enumerate(record.config.mounts) if mount.image)
    return (record.id, *(volume_owner(record.id, n) for n in volumes))


def volume_owner(container_id: str, number: int) -> str:
    """Return the name under which an image volume's image is kept."""
    return f"{container_id}.volume{number}"
