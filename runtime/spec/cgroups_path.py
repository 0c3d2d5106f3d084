"""Where a container's cgroup is."""


def cgroups_path(parent: str, container_id: str, *, systemd: bool) -> str:
    """Return linux.cgroupsPath: `<slice>:lading:<id>` for systemd, else `<parent>/<id>`.

    Raises:
        InvalidArgument: the parent does not fit the cgroup driver, or leaves the hierarchy.
    """
    raise NotImplementedError
