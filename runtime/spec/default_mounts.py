"""The kernel file systems that every Linux container has, and what becomes of them in special pods.

All are fresh mounts of the container's own (security rule E4), with the options that containerd and CRI-O agree on.
There is no tmpfs on /run, as in both: images put files there. Where a user namespace meets a namespace of the host, the
kernel refuses a fresh mount, so the host's file system is bound instead, recursively read-only where that is possible.
"""

from runtime.spec.document import Spec

DEFAULT_SHM_KIB = 64 * 1024
"""64 MiB, as docker, containerd and CRI-O have it."""

SHM_PATH = "/dev/shm"  # noqa: S108 - a path inside the container

_LOCKED = ("nosuid", "noexec", "nodev")
_TERMINAL_GROUP = 5
"""The `tty` group of every common distribution, owner of pseudo terminals."""


def default_mounts(
    *, sys_readonly: bool = True, cgroup_readonly: bool = True, tty_group: bool = True
) -> tuple[Spec, ...]:
    """Return the default mounts in the order in which they are made."""
    pts = [*_LOCKED[:2], "newinstance", "ptmxmode=0666", "mode=0620"]
    if tty_group:
        pts.append(f"gid={_TERMINAL_GROUP}")
    return (
        _mount("/proc", "proc", "proc", _LOCKED),
        _mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
        _mount("/dev/pts", "devpts", "devpts", pts),
        _mount("/dev/mqueue", "mqueue", "mqueue", _LOCKED),
        shm_mount(),
        _mount("/sys", "sysfs", "sysfs", (*_LOCKED, "ro" if sys_readonly else "rw")),
        cgroup_mount(readonly=cgroup_readonly),
    )


def shm_mount() -> Spec:
    """Return a /dev/shm of the container's own, for specs without a pod."""
    options = (*_LOCKED, "mode=1777", f"size={DEFAULT_SHM_KIB}k")
    return _mount(SHM_PATH, "tmpfs", "shm", options)


def cgroup_mount(*, readonly: bool) -> Spec:
    """Return the mount of the container's cgroups."""
    options = (*_LOCKED, "relatime", "ro" if readonly else "rw")
    return _mount("/sys/fs/cgroup", "cgroup", "cgroup", options)


def host_bind(destination: str, *, recursive_read_only: bool) -> Spec:
    """Return the host's own file system of that place, for a namespace of the host inside a user namespace."""
    readonly = "rro" if recursive_read_only else "ro"
    return _mount(destination, "bind", destination, ("rbind", *_LOCKED, readonly))


def writable_host_bind(destination: str) -> Spec:
    """Return the host's own file system of that place, writable as far as the user's own rights go."""
    return _mount(destination, "bind", destination, ("rbind", *_LOCKED))


def terminal_group_is_mapped(gid_mappings: tuple[tuple[int, int], ...]) -> bool:
    """Tell whether the `tty` group exists in a user namespace of (first id, length); devpts needs that for `gid=`."""
    return any(first <= _TERMINAL_GROUP < first + length for first, length in gid_mappings)


def _mount(destination: str, type: str, source: str, options: tuple[str, ...] | list[str]) -> Spec:
    return {
        "destination": destination,
        "type": type,
        "source": source,
        "options": list(options),
    }
