"""Which kernel settings a pod may have, and which it gets.

Only settings of namespaces that the pod owns are taken, each by a name that stays below /proc/sys and a value of plain
words; whoever writes them does so from inside these namespaces, one write per key and no helper's syntax (security rule
D5: a `+` in a value once set a second key). Pods with their own network may use low ports and ping without capabilities,
as with containerd's defaults; not ping in a user namespace, whose group numbers do not reach that far.
"""

import re
from dataclasses import dataclass

from runtime.errors import InvalidArgument
from runtime.records.sandbox import SandboxConfig
from runtime.records.security import NamespaceMode

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]*", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_ \t.,:/-]*", re.ASCII)
_MAX_VALUE = 1024

_IPC = frozenset(
    f"kernel/{name}"
    for name in (
        *("msgmax", "msgmnb", "msgmni"),
        *("sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"),
    )
)
"""ipc_namespaces(7)."""
_UTS = frozenset({"kernel/domainname"})
"""kernel/hostname belongs to it too, but the pod's hostname has its own field."""

_UNPRIVILEGED_PORTS = ("net/ipv4/ip_unprivileged_port_start", "0")
_UNPRIVILEGED_PING = ("net/ipv4/ping_group_range", "0 2147483647")


@dataclass(frozen=True, kw_only=True, slots=True)
class PodSysctls:
    """Settings by the namespace that they belong to: names below /proc/sys with slashes, and values."""

    network: tuple[tuple[str, str], ...] = ()
    ipc: tuple[tuple[str, str], ...] = ()
    uts: tuple[tuple[str, str], ...] = ()

    @property
    def all(self) -> tuple[tuple[str, str], ...]:
        """All of them in the order in which they are written."""
        return (*self.network, *self.ipc, *self.uts)


def pod_sysctls(config: SandboxConfig) -> tuple[tuple[str, str], ...]:
    """Return the settings to write inside the pod's own namespaces: name with slashes (below /proc/sys), and value.

    Raises:
        InvalidArgument: a name or value is malformed, or belongs to a namespace that the pod does not own.
    """
    return grouped_sysctls(config).all


def grouped_sysctls(
    config: SandboxConfig, *, unprivileged_ports: bool = True, unprivileged_ping: bool = True
) -> PodSysctls:
    """Return defaults and what was asked for, by the namespace that each belongs to.

    Raises:
        InvalidArgument: a name or value is malformed, or belongs to a namespace that the pod does not own.
    """
    owned = _owned(config)
    chosen = _defaults(config, ports=unprivileged_ports, ping=unprivileged_ping)
    for name, value in config.linux.sysctls:
        path = sysctl_path(name)
        _check_value(name, value)
        _check_owned(name, path, owned)
        chosen[path] = value
    by_namespace: dict[str, list[tuple[str, str]]] = {"network": [], "ipc": [], "uts": []}
    for path, value in chosen.items():
        by_namespace[_namespace(path)].append((path, value))
    return PodSysctls(**{name: tuple(pairs) for name, pairs in by_namespace.items()})


def sysctl_path(name: str) -> str:
    """Return the path below /proc/sys that a name stands for; the first separator decides (sysctl(8)).

    Raises:
        InvalidArgument: the name is malformed.
    """
    dot, slash = name.find("."), name.find("/")
    if dot != -1 and (slash == -1 or dot < slash):
        # In the dotted form a slash stands for a dot of the part itself: net.ipv4.conf.eth0/100.forwarding.
        name_path = name.translate(str.maketrans("./", "/."))
    else:
        name_path = name
    parts = name_path.split("/")
    if len(name) > 256 or len(parts) < 2 or not all(map(_PART.fullmatch, parts)):
        raise _refused(name, "is no name of a kernel setting", "BadSysctl")
    return name_path


def _owned(config: SandboxConfig) -> dict[str, bool]:
    namespaces = config.linux.security.namespaces
    network = namespaces.network is not NamespaceMode.NODE
    return {"network": network, "ipc": namespaces.ipc is not NamespaceMode.NODE, "uts": network}


def _defaults(config: SandboxConfig, *, ports: bool, ping: bool) -> dict[str, str]:
    namespaces = config.linux.security.namespaces
    if namespaces.network is NamespaceMode.NODE:
        return {}
    userns = namespaces.userns
    mapped = userns is not None and userns.mode is NamespaceMode.POD
    pairs = [_UNPRIVILEGED_PORTS] if ports else []
    if ping and not mapped:
        pairs.append(_UNPRIVILEGED_PING)
    return dict(pairs)


def _namespace(path: str) -> str:
    if path.startswith("net/"):
        return "network"
    if path in _IPC or path.startswith("fs/mqueue/"):
        return "ipc"
    return "uts" if path in _UTS else ""


def _check_owned(name: str, path: str, owned: dict[str, bool]) -> None:
    namespace = _namespace(path)
    if not namespace:
        raise _refused(name, "belongs to the whole host", "SysctlNotNamespaced")
    if not owned[namespace]:
        cause = f"belongs to the {namespace} namespace, which this pod shares with the host"
        raise _refused(name, cause, "SysctlOfHost")


def _check_value(name: str, value: str) -> None:
    if len(value) > _MAX_VALUE or not _VALUE.fullmatch(value):
        raise _refused(name, "has a value that is no plain words and numbers", "BadSysctlValue")


def _refused(name: str, cause: str, reason: str) -> InvalidArgument:
    return InvalidArgument(
        f"sysctl {name[:128]!r}", cause, remedy="remove it from the pod", reason=reason
    )
