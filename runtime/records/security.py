"""Security settings of a pod or container, as the kubelet decided them.

Plain values that mirror CRI's security contexts; nothing here is checked or applied.
"""

from dataclasses import dataclass
from enum import StrEnum


class NamespaceMode(StrEnum):
    """Whose namespace a container uses (CRI NamespaceMode)."""

    POD = "pod"
    CONTAINER = "container"
    NODE = "node"
    TARGET = "target"


class ProfileKind(StrEnum):
    """Where a seccomp or AppArmor profile comes from."""

    RUNTIME_DEFAULT = "runtime_default"
    UNCONFINED = "unconfined"
    LOCALHOST = "localhost"


class GroupsPolicy(StrEnum):
    """How supplemental groups are made: image's and requested ones, or only the latter."""

    MERGE = "merge"
    STRICT = "strict"


@dataclass(frozen=True, kw_only=True, slots=True)
class IdMapping:
    """`length` ids from `container_id` inside appear as ids from `host_id` outside."""

    container_id: int
    host_id: int
    length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UserNamespace:
    """A user namespace request: mode POD with mappings, or NODE for none."""

    mode: NamespaceMode
    uids: tuple[IdMapping, ...] = ()
    gids: tuple[IdMapping, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceOptions:
    """Namespaces of a pod or container; the defaults are CRI's zero values."""

    network: NamespaceMode = NamespaceMode.POD
    pid: NamespaceMode = NamespaceMode.POD
    ipc: NamespaceMode = NamespaceMode.POD
    target_id: str = ""
    """Container whose PID namespace is joined when pid is TARGET."""
    userns: UserNamespace | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SecurityProfile:
    """A seccomp or AppArmor profile; `localhost_ref` names it when kind is LOCALHOST."""

    kind: ProfileKind
    localhost_ref: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelinuxOptions:
    """SELinux label parts."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """Capabilities to add and drop, as sent: with or without CAP_, any case, `ALL` allowed."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    add_ambient: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSecurity:
    """LinuxSandboxSecurityContext."""

    namespaces: NamespaceOptions = NamespaceOptions()
    selinux: SelinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    readonly_rootfs: bool = False
    supplemental_groups: tuple[int, ...] = ()
    groups_policy: GroupsPolicy = GroupsPolicy.MERGE
    privileged: bool = False
    seccomp: SecurityProfile | None = None
    apparmor: SecurityProfile | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerSecurity:
    """LinuxContainerSecurityContext."""

    capabilities: Capabilities = Capabilities()
    privileged: bool = False
    namespaces: NamespaceOptions = NamespaceOptions()
    selinux: SelinuxOptions | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_username: str = ""
    readonly_rootfs: bool = False
    supplemental_groups: tuple[int, ...] = ()
    groups_policy: GroupsPolicy = GroupsPolicy.MERGE
    no_new_privs: bool = False
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    seccomp: SecurityProfile | None = None
    apparmor: SecurityProfile | None = None
