"""Where a container's cgroup is, in the form that the cgroup driver wants and in the hierarchy.

The two forms are told apart by the parent's `.slice`; a parent of the other driver's form is refused, as in CRI-O, because
the OCI runtime would silently make a cgroup outside of the pod's (containerd accepts it).
"""

from runtime.errors import InvalidArgument

DEFAULT_PARENT = "/lading"
"""For pods without a cgroup parent, with cgroupfs."""

DEFAULT_SLICE = "system.slice"
"""For pods without a cgroup parent, with systemd."""

_UNIT_PREFIX = "lading"
_SUFFIX = ".slice"


def cgroups_path(parent: str, container_id: str, *, systemd: bool) -> str:
    """Return linux.cgroupsPath: `SLICE:lading:ID` for systemd, else `PARENT/ID`.

    Raises:
        InvalidArgument: the parent does not fit the cgroup driver, or leaves the hierarchy.
    """
    check_cgroup_parent(parent, systemd=systemd)
    if systemd:
        unit = parent.rstrip("/").rsplit("/", 1)[-1] or DEFAULT_SLICE
        return f"{unit}:{_UNIT_PREFIX}:{container_id}"
    above = parent.strip("/")
    return f"/{above}/{container_id}" if above else f"{DEFAULT_PARENT}/{container_id}"


def filesystem_cgroup(cgroups_path: str) -> str:
    """Return where that is below each hierarchy's root, empty for an empty path.

    systemd puts a slice below those that its name starts with (systemd.slice(5)).
    """
    parts = cgroups_path.split(":")
    if len(parts) != 3:
        return cgroups_path
    slice_name, prefix, name = parts
    return f"{_expanded_slice(slice_name)}/{prefix}-{name}.scope"


def _expanded_slice(name: str) -> str:
    if name in ("", "-.slice"):
        return ""
    words = name.removesuffix(_SUFFIX).split("-")
    return "".join(f"/{'-'.join(words[:n])}{_SUFFIX}" for n in range(1, len(words) + 1))


def check_cgroup_parent(parent: str, *, systemd: bool) -> None:
    """Refuse a parent that cannot be.

    Raises:
        InvalidArgument: it is of the other driver's form, or has `..`, `:` or unprintable characters.
    """
    if ".." in parent.split("/") or ":" in parent or not parent.isprintable():
        raise InvalidArgument(
            "cgroup_parent",
            f"{parent[:128]!r} is not a path below the cgroup root",
            remedy="use a plain path without .. and :",
            reason="BadCgroupParent",
        )
    is_slice = parent.rstrip("/").endswith(".slice")
    if parent.strip("/") and is_slice != systemd:
        driver, wanted = ("systemd", "a .slice") if systemd else ("cgroupfs", "no .slice")
        raise InvalidArgument(
            "cgroup_parent",
            f"{parent[:128]!r} does not fit the {driver} cgroup driver, which wants {wanted}",
            remedy="let the kubelet and the handler use the same cgroup driver",
            reason="CgroupDriverMismatch",
        )
