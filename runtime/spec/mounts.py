"""What is mounted in a container: kernel file systems, the pod's files, image volumes, and the request's mounts.

A request's mount at or above a default place replaces what would be there, as in containerd and CRI-O. Then volumes and
mounts come sorted by depth, so that none hides another that lies inside it. All are recursive binds with the propagation
that was asked for; the root's propagation is raised to match. Read-only is not recursive unless asked for (`rro`). Sources
were resolved by the caller; targets are made by the OCI runtime, never by Lading (security rule E3).
"""

from collections.abc import Iterable, Sequence

from runtime.records.container import Mount, MountPropagation
from runtime.records.security import IdMapping
from runtime.spec.default_mounts import (
    SHM_PATH,
    default_mounts,
    host_bind,
    terminal_group_is_mapped,
    writable_host_bind,
)
from runtime.spec.document import (
    JsonValue,
    Option,
    Spec,
    append_values,
    list_at,
    objects_at,
    put,
    set_value,
    text_of,
    texts_at,
)
from runtime.spec.path_text import clean_path, depth, is_at_or_below
from runtime.spec.request import ResolvedMount, SpecRequest

_PROPAGATION = {
    MountPropagation.PRIVATE: "rprivate",
    MountPropagation.HOST_TO_CONTAINER: "rslave",
    MountPropagation.BIDIRECTIONAL: "rshared",
}
_OWN_FILE = ("rbind", "rprivate", "nosuid", "nodev", "noexec")
"""Pod files are data; CRI-O locks them the same way, containerd leaves them open."""


def container_mounts(request: SpecRequest) -> tuple[Spec, ...]:
    """Return all mounts of a container in the order in which they are made."""
    asked = [_asked_mount(entry) for entry in request.mounts]
    replaced = [text_of(mount["destination"]) for mount in asked]
    own = [
        mount
        for mount in (*_kernel_mounts(request), *_pod_file_mounts(request))
        if not _is_replaced(mount, replaced)
    ]
    volumes = [m for m in _volume_mounts(request) if text_of(m["destination"]) not in replaced]
    return (*own, *sorted((*volumes, *asked), key=_depth_of))


def root_propagation(mounts: Iterable[Mount]) -> str:
    """Return the propagation that the container's root needs for these mounts, empty for the default."""
    kinds = {mount.propagation for mount in mounts}
    if MountPropagation.BIDIRECTIONAL in kinds:
        return "rshared"
    return "rslave" if MountPropagation.HOST_TO_CONTAINER in kinds else ""


def mount_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's mounts."""
    propagation = root_propagation(request.container.mounts)
    options = [set_value(("mounts",), list(container_mounts(request)))]
    if propagation:
        options.append(with_root_propagation(propagation))
    return tuple(options)


def _kernel_mounts(request: SpecRequest) -> Iterable[Spec]:
    privileged = request.container.security.privileged
    gids = _user_mappings(request)[1]
    mounts = default_mounts(
        sys_readonly=not privileged,
        cgroup_readonly=not (privileged or request.handler.cgroup_writable),
        tty_group=not gids
        or terminal_group_is_mapped(tuple((m.container_id, m.length) for m in gids)),
    )
    bound = _bound_from_host(request)
    return (bound.get(text_of(mount["destination"]), mount) for mount in mounts)


def _bound_from_host(request: SpecRequest) -> dict[str, Spec]:
    """Return the kernel file systems that cannot be mounted afresh: their namespace belongs to the host's user."""
    if not request.namespaces.user:
        return {}
    rro = request.features.recursive_read_only_mounts
    bound: dict[str, Spec] = {}
    if request.namespaces.host_network:
        bound["/sys"] = host_bind("/sys", recursive_read_only=rro)
    if request.namespaces.host_ipc:
        bound["/dev/mqueue"] = writable_host_bind("/dev/mqueue")
    if request.namespaces.host_pid:
        bound["/proc"] = writable_host_bind("/proc")
    return bound


def _pod_file_mounts(request: SpecRequest) -> Iterable[Spec]:
    files = request.pod_files
    access = "ro" if request.container.security.readonly_rootfs else "rw"
    mappings = _mapping_entries(*_user_mappings(request))
    for destination, source in (
        ("/etc/hostname", files.hostname),
        ("/etc/hosts", files.hosts),
        ("/etc/resolv.conf", files.resolv_conf),
    ):
        if source:
            yield {**_bind(destination, source, [*_OWN_FILE, access]), **mappings}
    if files.shm:
        # Writable even below a read-only root, as in both runtimes: it is memory, not disk.
        yield _bind(SHM_PATH, files.shm, [*_OWN_FILE, "rw"])


def _volume_mounts(request: SpecRequest) -> Iterable[Spec]:
    mappings = _mapping_entries(*_user_mappings(request))
    for volume in request.volumes:
        destination = clean_path(volume.container_path)
        options = ["rbind", "rprivate", "rw"]
        yield {**_bind(destination, volume.source, options), **mappings}


def _asked_mount(entry: ResolvedMount) -> Spec:
    mount = entry.mount
    readonly = "rro" if mount.recursive_read_only else "ro"
    access = readonly if mount.readonly else "rw"
    options = ["rbind", _PROPAGATION[mount.propagation], access, *mount.mount_options]
    bind = _bind(clean_path(mount.container_path), entry.source, options)
    if mount.image:
        # The view of an image volume is mapped in its own layers; overlay itself cannot be.
        return bind
    return {**bind, **_mapping_entries(mount.uid_mappings, mount.gid_mappings)}


def _user_mappings(request: SpecRequest) -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    userns = request.sandbox.linux.security.namespaces.userns
    if not request.namespaces.user or userns is None:
        return (), ()
    return userns.uids, userns.gids


def id_mappings(mappings: Iterable[IdMapping]) -> list[JsonValue]:
    """Return mappings as the OCI spec has them."""
    return [
        {"containerID": m.container_id, "hostID": m.host_id, "size": m.length} for m in mappings
    ]


def _mapping_entries(uids: Sequence[IdMapping], gids: Sequence[IdMapping]) -> Spec:
    entries = {"uidMappings": id_mappings(uids), "gidMappings": id_mappings(gids)}
    return {key: value for key, value in entries.items() if value}


def _is_replaced(mount: Spec, destinations: Sequence[str]) -> bool:
    place = text_of(mount["destination"])
    return any(is_at_or_below(place, destination) for destination in destinations)


def _depth_of(mount: Spec) -> tuple[int, str]:
    place = text_of(mount["destination"])
    return depth(place), place


def _bind(destination: str, source: str, options: Sequence[str]) -> Spec:
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": list(options),
    }


# --- options for specs in general


def with_mounts(mounts: Iterable[Spec]) -> Option:
    """Append mounts."""
    return append_values(("mounts",), list(mounts))


def without_mounts(destinations: Iterable[str]) -> Option:
    """Remove the mounts at exactly these destinations."""
    gone = set(destinations)

    def option(spec: Spec) -> Spec:
        kept = [m for m in objects_at(spec, "mounts") if m.get("destination") not in gone]
        return put(spec, ("mounts",), kept) if len(kept) < len(list_at(spec, "mounts")) else spec

    return option


def with_root_propagation(propagation: str) -> Option:
    """Set the propagation of the root mount (mount_namespaces(7))."""
    return set_value(("linux", "rootfsPropagation"), propagation)


def with_shm_size(kib: int) -> Option:
    """Set the size of the container's own /dev/shm in KiB, in place of an earlier size."""

    def sized(mount: Spec) -> Spec:
        if mount.get("destination") != SHM_PATH:
            return mount
        kept = [option for option in texts_at(mount, "options") if not option.startswith("size=")]
        return {**mount, "options": [*kept, f"size={kib}k"]}

    def option(spec: Spec) -> Spec:
        return put(spec, ("mounts",), [sized(mount) for mount in objects_at(spec, "mounts")])

    return option


def with_host_files(*paths: str) -> Option:
    """Bind files of the host read-only at the same place, for containers on the host's network."""
    chosen = paths or ("/etc/hosts", "/etc/resolv.conf")
    return with_mounts(_bind(path, path, ["rbind", "ro"]) for path in chosen)


def mount_at(spec: Spec, destination: str) -> Spec:
    """Return the last mount at a destination, an empty object when there is none."""
    found = [m for m in objects_at(spec, "mounts") if m.get("destination") == destination]
    return found[-1] if found else {}
