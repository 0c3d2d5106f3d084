"""Checks of namespaces, users and profiles, of a pod and of a container against its pod.

A container never gets more than its pod was made for: what conflicts is refused rather than silently taken from the pod.
"""

from runtime.errors import InvalidArgument
from runtime.records.container import ContainerConfig
from runtime.records.sandbox import SandboxConfig
from runtime.records.security import (
    IdMapping,
    NamespaceMode,
    NamespaceOptions,
    ProfileKind,
    SecurityProfile,
    SelinuxOptions,
    UserNamespace,
)
from runtime.spec.request import RuntimeFeatures
from runtime.spec.text_limits import check_printable, check_text

_LAST_ID = 2**32 - 2
"""2^32-1 is "no id" (credentials(7))."""


def check_pod_security(subject: str, config: SandboxConfig, features: RuntimeFeatures) -> None:
    """Refuse security settings that a pod cannot have.

    Raises:
        InvalidArgument: there is one.
    """
    security = config.linux.security
    _check_modes(subject, security.namespaces)
    if security.namespaces.pid is NamespaceMode.TARGET:
        cause = "has PID mode TARGET, which is for containers alone"
        raise _refused(subject, cause, "use POD, CONTAINER or NODE", "BadNamespaceMode")
    if security.namespaces.userns is not None:
        _check_userns(subject, security.namespaces.userns, features)
    check_profile(subject, "seccomp", security.seccomp)
    check_profile(subject, "AppArmor", security.apparmor)
    _check_selinux(subject, security.selinux)


def check_container_security(subject: str, config: ContainerConfig, sandbox: SandboxConfig) -> None:
    """Refuse security settings that a container cannot have, or not in this pod.

    Raises:
        InvalidArgument: there is one.
    """
    security, pod = config.security, sandbox.linux.security
    if security.privileged and not pod.privileged:
        cause = "is privileged, but its pod is not"
        raise _refused(subject, cause, "make the pod privileged", "PrivilegedInPlainPod")
    _check_modes(subject, security.namespaces)
    _check_against_pod(subject, security.namespaces, pod.namespaces)
    check_profile(subject, "seccomp", security.seccomp)
    check_profile(subject, "AppArmor", security.apparmor)
    _check_selinux(subject, security.selinux)
    for path in (*security.masked_paths, *security.readonly_paths):
        check_text(subject, "a masked or read-only path", path)
        if not path.startswith("/"):
            cause = "has a masked or read-only path that is not absolute"
            raise _refused(subject, cause, "use absolute paths", "BadSecurityPath")


def check_profile(subject: str, kind: str, profile: SecurityProfile | None) -> None:
    """Refuse a Localhost profile without a usable name: an empty one would confine nothing (security rule D8).

    Raises:
        InvalidArgument: so it is.
    """
    if profile is None or profile.kind is not ProfileKind.LOCALHOST:
        return
    check_printable(subject, f"its {kind} profile", profile.localhost_ref)
    absolute = profile.localhost_ref.startswith("/")
    if not profile.localhost_ref or (kind == "seccomp" and not absolute):
        wanted = "an absolute path" if kind == "seccomp" else "a name"
        cause = f"has a Localhost {kind} profile without {wanted}"
        raise _refused(subject, cause, f"set localhost_ref to {wanted}", "BadLocalhostProfile")
    if absolute and ".." in profile.localhost_ref.split("/"):
        cause = f"has a Localhost {kind} profile with .. in its path"
        raise _refused(subject, cause, "use a plain path", "BadLocalhostProfile")


def _check_modes(subject: str, options: NamespaceOptions) -> None:
    for name, mode in (("network", options.network), ("IPC", options.ipc)):
        if mode not in (NamespaceMode.POD, NamespaceMode.NODE):
            cause = f"has {name} mode {mode.upper()}"
            raise _refused(subject, cause, "use POD or NODE", "BadNamespaceMode")
    if bool(options.target_id) != (options.pid is NamespaceMode.TARGET):
        cause = "has PID mode TARGET without a target, or a target without that mode"
        raise _refused(subject, cause, "set both or neither", "BadNamespaceTarget")


def _check_against_pod(subject: str, own: NamespaceOptions, pod: NamespaceOptions) -> None:
    for name, mine, theirs in (("network", own.network, pod.network), ("IPC", own.ipc, pod.ipc)):
        # POD in a pod on the host's namespace means that namespace; the other way round is an escape.
        if mine is NamespaceMode.NODE and theirs is not NamespaceMode.NODE:
            cause = f"asks for the host's {name} namespace, but its pod has its own"
            raise _refused(
                subject, cause, "ask the same for pod and container", "NamespaceConflict"
            )
    if own.pid is NamespaceMode.NODE and pod.pid is not NamespaceMode.NODE:
        cause = "asks for the host's PID namespace, but its pod does not have it"
        raise _refused(subject, cause, "ask the same for pod and container", "NamespaceConflict")
    if own.userns is not None and _mapped(own.userns) != _mapped(pod.userns):
        cause = "has another user namespace than its pod"
        raise _refused(subject, cause, "ask the same for pod and container", "NamespaceConflict")


def _mapped(userns: UserNamespace | None) -> UserNamespace | None:
    """Return a user namespace that is one: NODE means none, as absence does."""
    return None if userns is None or userns.mode is NamespaceMode.NODE else userns


def _check_userns(subject: str, userns: UserNamespace, features: RuntimeFeatures) -> None:
    if userns.mode is NamespaceMode.NODE:
        if userns.uids or userns.gids:
            cause = "has user namespace mode NODE with mappings"
            raise _refused(subject, cause, "remove the mappings", "BadUserNamespace")
        return
    if userns.mode is not NamespaceMode.POD:
        cause = f"has user namespace mode {userns.mode.upper()}"
        raise _refused(subject, cause, "use POD or NODE", "BadUserNamespace")
    # The kubelet knows one mapping per pod (KEP-127); volumes are mapped by the same.
    if len(userns.uids) != 1 or userns.uids != userns.gids or not _is_usable(userns.uids[0]):
        cause = (
            "has user namespace mappings other than one line from id 0, alike for users and groups"
        )
        raise _refused(subject, cause, "give one mapping of container id 0", "BadUserNamespace")
    if not features.user_namespaces:
        cause = "asks for a user namespace, but this handler's runtime cannot map volumes"
        raise _refused(subject, cause, "use a runtime with idmap", "UserNamespacesUnsupported")


def _is_usable(mapping: IdMapping) -> bool:
    in_range = mapping.host_id >= 0 and mapping.host_id + mapping.length - 1 <= _LAST_ID
    return mapping.container_id == 0 and mapping.length >= 1 and in_range


def _check_selinux(subject: str, options: SelinuxOptions | None) -> None:
    if options is None:
        return
    for part in (options.user, options.role, options.type):
        check_printable(subject, "its SELinux label", part, without=": ,")
    check_printable(subject, "its SELinux level", options.level, without=" ")


def _refused(subject: str, cause: str, remedy: str, reason: str) -> InvalidArgument:
    return InvalidArgument(subject, cause, remedy=remedy, reason=reason)
