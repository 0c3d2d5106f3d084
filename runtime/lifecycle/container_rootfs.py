"""A container's root filesystem: the image's layers below, a writable layer of its own above; and image volumes.

Image volumes (mounts that name an image) are shown read-only. A VOLUME that the image declares lies on the writable layer,
where its content already is; it needs a mount only when the root filesystem is read-only, or the image lacks it. No file is
copied, and nothing is made inside the root filesystem (security rules E1, E3).
"""

import asyncio
import os
from pathlib import Path, PurePosixPath

from runtime.errors import InvalidArgument, PodRuntimeError
from runtime.host.container_root import (
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    open_directory,
    open_resolved,
)
from runtime.host.host import OverlayMount
from runtime.lifecycle.dismantle import volume_owner
from runtime.lifecycle.node import Node
from runtime.records.container import ContainerRecord, Mount
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.path_text import clean_path
from runtime.spec.request import ResolvedMount, ResolvedVolume
from runtime.spec.validate_mounts import check_volume
from runtime.store.bundle_directories import make_private

_PREFIX = "ImageVolumeMountFailed"
"""The kubelet looks for it at the start of the message."""


async def mount_rootfs(node: Node, record: ContainerRecord) -> Path:
    """Mount a container's root filesystem in its bundle and return where."""
    lower = await node.images.acquire(record.image_id, record.id)
    target, layer = node.paths.rootfs(record.id), node.paths.layer(record.id)
    await node.host.mount_overlay(
        OverlayMount(
            target=target,
            lower=lower or (_empty_directory(node, record.id),),
            upper=layer / "upper",
            work=layer / "work",
        )
    )
    return target


async def mount_image_volume(
    node: Node, record: ContainerRecord, number: int, mount: Mount
) -> ResolvedMount:
    """Mount the image that a mount names, and return it with the place that it shows.

    Raises:
        InvalidArgument: it is not read-only, or the sub-path does not exist; with the prefix that the kubelet matches.
    """
    if not mount.readonly:
        raise _volume_refused(mount, "an image volume must be read-only", "set readonly")
    try:
        target = await _show_image(node, record, number, mount)
    except PodRuntimeError as error:
        raise _with_prefix(error) from error
    if not mount.image_sub_path:
        return ResolvedMount(mount=mount, source=str(target))
    inside = await asyncio.to_thread(real_path_below, target, mount.image_sub_path)
    if inside is None:
        raise _volume_refused(
            mount, f"the image has no {mount.image_sub_path[:200]}", "mend image_sub_path"
        )
    return ResolvedMount(mount=mount, source=str(inside))


async def _show_image(node: Node, record: ContainerRecord, number: int, mount: Mount) -> Path:
    lower = await node.images.acquire(mount.image, volume_owner(record.id, number))
    bundle, layer = node.paths.bundle(record.id), node.paths.layer(record.id)
    target = bundle / "volumes" / str(number)
    await node.host.mount_overlay(
        OverlayMount(
            target=target,
            lower=lower or (_empty_directory(node, record.id),),
            upper=layer / f"volume{number}-upper",
            work=layer / f"volume{number}-work",
            readonly=True,
        )
    )
    return target


def declared_volumes(
    node: Node, record: ContainerRecord, image: ImageDefaults
) -> tuple[ResolvedVolume, ...]:
    """Return the image's VOLUMEs that need a mount; blocking, for a thread."""
    covered = {PurePosixPath(mount.container_path) for mount in record.config.mounts}
    found = (
        _declared_volume(node, record, number, path)
        for number, path in enumerate(image.volumes)
        if PurePosixPath(path) not in covered
    )
    return tuple(volume for volume in found if volume is not None)


def real_path_below(root: Path, name: str) -> Path | None:
    """Return the path without links of a directory or file below `root`, None when there is none.

    The kernel resolves it inside the root. The answer stays true while nobody else can change what is below.

    Raises:
        InvalidArgument: it can only be reached by a magic link.
    """
    directory = open_directory(root)
    try:
        found = open_resolved(
            directory, name, flags=os.O_PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        cause = f"cannot be followed: {(error.strerror or '').lower()}"
        raise InvalidArgument(f"path {name[:200]} in the image", cause, reason="BadPath") from error
    finally:
        os.close(directory)
    try:
        return Path(os.readlink(f"/proc/self/fd/{found}"))
    finally:
        os.close(found)


def _declared_volume(
    node: Node, record: ContainerRecord, number: int, path: str
) -> ResolvedVolume | None:
    rootfs = node.paths.rootfs(record.id)
    # As the spec will have it: of /a/../b the runtime sees /b, the kernel what is beside the target of /a.
    inside = real_path_below(rootfs, clean_path(path))
    _check_place(rootfs, path, inside or _nearest_place(rootfs, path))
    if inside is not None and inside != rootfs and inside.is_dir():
        if not record.config.security.readonly_rootfs:
            return None
        return ResolvedVolume(container_path=path, source=str(inside))
    directory = node.paths.layer(record.id) / "volumes"
    make_private(directory)
    own = directory / str(number)
    make_private(own)
    own.chmod(0o755)  # the container's users must reach it; what is above keeps others out
    return ResolvedVolume(container_path=path, source=str(own))


def _nearest_place(rootfs: Path, path: str) -> Path:
    """Return where a path that is not there would be made: below its nearest parent that is, links followed.

    Raises:
        InvalidArgument: the next part is a link that leads nowhere: the runtime's mounts could change that.
    """
    place = PurePosixPath(clean_path(path))
    found, parent = rootfs, PurePosixPath("/")
    for part in place.parts[1:]:
        below = real_path_below(rootfs, str(parent / part))
        if below is None:
            break
        found, parent = below, parent / part
    missing = place.relative_to(parent)
    if missing.parts and (found / missing.parts[0]).is_symlink():
        cause = f"has a VOLUME at {path[:200]!r}, which is behind a link that leads nowhere"
        raise InvalidArgument("image", cause, remedy="use another image", reason="BadVolume")
    return found / missing


def _check_place(rootfs: Path, path: str, place: Path) -> None:
    """Refuse a VOLUME whose links lead over the root or the kernel's files (security rule E1)."""
    check_volume("image", path, leads_to=f"/{place.relative_to(rootfs)}")


def _empty_directory(node: Node, container_id: str) -> Path:
    directory = node.paths.bundle(container_id) / "empty"
    make_private(directory)
    directory.chmod(0o755)
    return directory


def _with_prefix(error: PodRuntimeError) -> PodRuntimeError:
    return type(error)(
        error.subject,
        error.cause,
        remedy=error.remedy,
        reason=error.reason,
        prefix=_PREFIX,
        details=error.details,
    )


def _volume_refused(mount: Mount, cause: str, remedy: str) -> InvalidArgument:
    return InvalidArgument(
        f"mount {mount.container_path[:200]}",
        cause,
        remedy=remedy,
        reason="BadImageVolume",
        prefix=_PREFIX,
    )
