"""Which namespaces a container joins, gets afresh, or leaves to the host.

Paths are pins of the pod's namespaces, so a recycled process id can never lead into the host's (security rule H3). The mount
namespace is always new. The cgroup namespace is new on cgroup v2 unless the container is privileged, as in both runtimes:
a privileged one manages cgroups by their real paths. With a user namespace both its path and the mappings are given:
runc 1.1 wants them, and crun uses them to hand the cgroup over.
"""

from collections.abc import Iterable

from runtime.records.security import IdMapping
from runtime.spec.document import (
    JsonValue,
    Option,
    Spec,
    combined,
    objects_at,
    put,
    set_value,
    without,
)
from runtime.spec.mounts import id_mappings
from runtime.spec.request import SpecRequest

_PATH = ("linux", "namespaces")


def container_namespaces(request: SpecRequest) -> tuple[Spec, ...]:
    """Return the namespaces of a container; what is absent is the host's."""
    paths = request.namespaces
    sources = {
        "user": (paths.user, not paths.user),
        "network": (paths.network, paths.host_network),
        "ipc": (paths.ipc, paths.host_ipc),
        "uts": (paths.uts, paths.host_uts),
        "pid": (paths.pid, paths.host_pid),
        "mount": ("", False),
        "cgroup": ("", not _has_cgroup_namespace(request)),
    }
    return tuple(_entry(name, path) for name, (path, host) in sources.items() if path or not host)


def _has_cgroup_namespace(request: SpecRequest) -> bool:
    return request.host.cgroup_version == 2 and not request.container.security.privileged


def namespace_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options for a container's namespaces and the hostname of a new UTS namespace."""
    options = [set_value(_PATH, list(container_namespaces(request)))]
    userns = request.sandbox.linux.security.namespaces.userns
    if request.namespaces.user and userns is not None:
        options.append(with_id_mappings(userns.uids, userns.gids))
    # The pod's pinned UTS namespace has its name already; without one the host would be renamed.
    if request.hostname and not request.namespaces.uts and not request.namespaces.host_uts:
        options.append(with_hostname(request.hostname))
    return tuple(options)


def with_hostname(hostname: str) -> Option:
    """Set the hostname in the container's new UTS namespace."""
    return set_value(("hostname",), hostname)


def with_namespace(name: str, path: str = "") -> Option:
    """Join the namespace at `path`, or make a new one; an earlier entry of that kind is replaced."""

    def option(spec: Spec) -> Spec:
        entries = objects_at(spec, *_PATH)
        if all(entry.get("type") != name for entry in entries):
            return put(spec, _PATH, [*entries, _entry(name, path)])
        changed = [_entry(name, path) if e.get("type") == name else e for e in entries]
        return put(spec, _PATH, changed)

    return option


def without_namespace(name: str) -> Option:
    """Use the host's namespace of a kind."""

    def option(spec: Spec) -> Spec:
        entries = objects_at(spec, *_PATH)
        return put(spec, _PATH, [entry for entry in entries if entry.get("type") != name])

    return option


def with_host_network() -> Option:
    """Use the host's network; its hosts and resolv.conf come by `mounts.with_host_files`."""
    return without_namespace("network")


def with_user_namespace(uids: Iterable[IdMapping], gids: Iterable[IdMapping]) -> Option:
    """Make a new user namespace with exactly these mappings."""
    return combined(with_namespace("user"), with_id_mappings(uids, gids))


def with_id_mappings(uids: Iterable[IdMapping], gids: Iterable[IdMapping]) -> Option:
    """Set the user and group mappings, each list exactly."""
    users, groups = id_mappings(uids), id_mappings(gids)
    return combined(_exact("uidMappings", users), _exact("gidMappings", groups))


def _exact(key: str, values: list[JsonValue]) -> Option:
    if not values:
        return lambda spec: without(spec, ("linux", key))
    return set_value(("linux", key), values)


def _entry(name: str, path: str) -> Spec:
    return {"type": name, "path": path} if path else {"type": name}
