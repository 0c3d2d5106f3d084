"""Where a cgroup is in the hierarchy, given the path that an OCI runtime was told.

Pure. With systemd that path is `SLICE:PREFIX:NAME`, and systemd puts a slice below those that its name starts with
(systemd.slice(5)); otherwise it is the path itself.
"""

_SUFFIX = ".slice"


def filesystem_cgroup(cgroups_path: str) -> str:
    """Return the path below each hierarchy's root, empty for an empty path."""
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
