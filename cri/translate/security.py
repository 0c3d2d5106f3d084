"""Security contexts of CRI to their records, and namespaces back as they were asked for.

Pure mapping. The deprecated profile strings of old clients (`runtime/default`, `unconfined`, `localhost/...`) become the
same records as today's SecurityProfile, which wins when both are given.
"""

from collections.abc import Iterable

from cri.api import api_pb2
from runtime.errors import InvalidArgument
from runtime.records.security import (
    Capabilities,
    ContainerSecurity,
    GroupsPolicy,
    IdMapping,
    NamespaceMode,
    NamespaceOptions,
    ProfileKind,
    SandboxSecurity,
    SecurityProfile,
    SelinuxOptions,
    UserNamespace,
)

_MODES = {
    api_pb2.POD: NamespaceMode.POD,
    api_pb2.CONTAINER: NamespaceMode.CONTAINER,
    api_pb2.NODE: NamespaceMode.NODE,
    api_pb2.TARGET: NamespaceMode.TARGET,
}
_CRI_MODES = {mode: number for number, mode in _MODES.items()}

_POLICIES = {api_pb2.Merge: GroupsPolicy.MERGE, api_pb2.Strict: GroupsPolicy.STRICT}

_PROFILES = {
    api_pb2.SecurityProfile.RuntimeDefault: ProfileKind.RUNTIME_DEFAULT,
    api_pb2.SecurityProfile.Unconfined: ProfileKind.UNCONFINED,
    api_pb2.SecurityProfile.Localhost: ProfileKind.LOCALHOST,
}

_OLD_PROFILES = {
    "": None,
    "runtime/default": SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT),
    "docker/default": SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT),
    "unconfined": SecurityProfile(kind=ProfileKind.UNCONFINED),
}
_LOCALHOST = "localhost/"


def sandbox_security(message: api_pb2.LinuxSandboxSecurityContext) -> SandboxSecurity:
    """Translate a pod's security context; an absent one has CRI's zero values."""
    return SandboxSecurity(
        namespaces=namespace_options(message.namespace_options),
        selinux=_selinux(message.selinux_options) if message.HasField("selinux_options") else None,
        run_as_user=message.run_as_user.value if message.HasField("run_as_user") else None,
        run_as_group=message.run_as_group.value if message.HasField("run_as_group") else None,
        readonly_rootfs=message.readonly_rootfs,
        supplemental_groups=tuple(message.supplemental_groups),
        groups_policy=_groups_policy(message.supplemental_groups_policy),
        privileged=message.privileged,
        seccomp=_profile(message.seccomp)
        if message.HasField("seccomp")
        else _old_profile("seccomp", message.seccomp_profile_path),
        apparmor=_profile(message.apparmor) if message.HasField("apparmor") else None,
    )


def container_security(message: api_pb2.LinuxContainerSecurityContext) -> ContainerSecurity:
    """Translate a container's security context; an absent one has CRI's zero values."""
    return ContainerSecurity(
        capabilities=_capabilities(message.capabilities),
        privileged=message.privileged,
        namespaces=namespace_options(message.namespace_options),
        selinux=_selinux(message.selinux_options) if message.HasField("selinux_options") else None,
        run_as_user=message.run_as_user.value if message.HasField("run_as_user") else None,
        run_as_group=message.run_as_group.value if message.HasField("run_as_group") else None,
        run_as_username=message.run_as_username,
        readonly_rootfs=message.readonly_rootfs,
        supplemental_groups=tuple(message.supplemental_groups),
        groups_policy=_groups_policy(message.supplemental_groups_policy),
        no_new_privs=message.no_new_privs,
        masked_paths=tuple(message.masked_paths),
        readonly_paths=tuple(message.readonly_paths),
        seccomp=_profile(message.seccomp)
        if message.HasField("seccomp")
        else _old_profile("seccomp", message.seccomp_profile_path),
        apparmor=_profile(message.apparmor)
        if message.HasField("apparmor")
        else _old_profile("apparmor", message.apparmor_profile),
    )


def namespace_options(message: api_pb2.NamespaceOption) -> NamespaceOptions:
    """Translate which namespaces are asked for."""
    return NamespaceOptions(
        network=_mode("network", message.network),
        pid=_mode("pid", message.pid),
        ipc=_mode("ipc", message.ipc),
        target_id=message.target_id,
        userns=_user_namespace(message.userns_options)
        if message.HasField("userns_options")
        else None,
    )


def namespace_message(options: NamespaceOptions) -> api_pb2.NamespaceOption:
    """Return namespaces as they were asked for: the kubelet compares them with what it wants."""
    message = api_pb2.NamespaceOption(
        network=_CRI_MODES[options.network],
        pid=_CRI_MODES[options.pid],
        ipc=_CRI_MODES[options.ipc],
        target_id=options.target_id,
    )
    if options.userns is not None:
        message.userns_options.mode = _CRI_MODES[options.userns.mode]
        message.userns_options.uids.extend(map(id_mapping_message, options.userns.uids))
        message.userns_options.gids.extend(map(id_mapping_message, options.userns.gids))
    return message


def id_mappings(messages: Iterable[api_pb2.IDMapping]) -> tuple[IdMapping, ...]:
    """Translate id mappings in their order."""
    return tuple(
        IdMapping(container_id=m.container_id, host_id=m.host_id, length=m.length) for m in messages
    )


def id_mapping_message(mapping: IdMapping) -> api_pb2.IDMapping:
    """Return one id mapping."""
    return api_pb2.IDMapping(
        container_id=mapping.container_id, host_id=mapping.host_id, length=mapping.length
    )


def _user_namespace(message: api_pb2.UserNamespace) -> UserNamespace:
    return UserNamespace(
        mode=_mode("user", message.mode),
        uids=id_mappings(message.uids),
        gids=id_mappings(message.gids),
    )


def _mode(namespace: str, number: api_pb2.NamespaceMode) -> NamespaceMode:
    # proto3 enums are open: a newer client may send a number that this version has no word for.
    mode = _MODES.get(number)
    if mode is None:
        raise _unknown(f"{namespace} namespace mode", number)
    return mode


def _groups_policy(number: api_pb2.SupplementalGroupsPolicy) -> GroupsPolicy:
    policy = _POLICIES.get(number)
    if policy is None:
        raise _unknown("supplemental_groups_policy", number)
    return policy


def _profile(message: api_pb2.SecurityProfile) -> SecurityProfile:
    kind = _PROFILES.get(message.profile_type)
    if kind is None:
        raise _unknown("security profile type", message.profile_type)
    return SecurityProfile(kind=kind, localhost_ref=message.localhost_ref)


def _old_profile(field: str, text: str) -> SecurityProfile | None:
    if text in _OLD_PROFILES:
        return _OLD_PROFILES[text]
    if text.startswith(_LOCALHOST):
        reference = text.removeprefix(_LOCALHOST)
        return SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref=reference)
    raise InvalidArgument(
        f"{field} profile {text[:100]!r}",
        "is none of runtime/default, unconfined, localhost/PATH",
        remedy="send a SecurityProfile instead of the deprecated text",
        reason="UnknownProfile",
    )


def _selinux(message: api_pb2.SELinuxOption) -> SelinuxOptions:
    return SelinuxOptions(
        user=message.user, role=message.role, type=message.type, level=message.level
    )


def _capabilities(message: api_pb2.Capability) -> Capabilities:
    return Capabilities(
        add=tuple(message.add_capabilities),
        drop=tuple(message.drop_capabilities),
        add_ambient=tuple(message.add_ambient_capabilities),
    )


def _unknown(field: str, number: int) -> InvalidArgument:
    return InvalidArgument(
        field,
        f"has the value {number}, which this version of Lading does not know",
        remedy="use a client of CRI v0.37",
        reason="UnknownValue",
    )
