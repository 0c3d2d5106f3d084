"""What confines a container beyond its namespaces: seccomp, AppArmor, SELinux, hidden and read-only paths.

No profile means no seccomp filter, as critest wants; RuntimeDefault is our own filter; privileged has none of the three.
Paths are exactly what CRI sends, and CRI-O's further masked paths when that list is not empty (security rule D9): containerd
leaves them open, and an empty list is how a pod asks for none (procMount: Unmasked).
"""

from collections.abc import Iterable

from runtime.errors import InvalidArgument
from runtime.records.security import NamespaceMode, ProfileKind, SelinuxOptions
from runtime.spec.capabilities import capabilities_of
from runtime.spec.document import Option, Spec, remove_value, set_value, unchanged
from runtime.spec.platform_defaults import MASKED_PATHS
from runtime.spec.request import SpecRequest
from runtime.spec.seccomp.default_profile import default_profile
from runtime.spec.seccomp.localhost_profile import ProfileContext, localhost_profile

_FILE_TYPE = "container_file_t"
"""Type of files that containers may use, in every distribution's policy (container-selinux)."""

_APPARMOR_PREFIX = "localhost/"


def security_options(request: SpecRequest) -> tuple[Option, ...]:
    """Return the options that confine a container.

    Raises:
        InvalidArgument: a profile cannot be used.
    """
    return (
        _seccomp_option(request),
        _apparmor_option(request),
        _selinux_option(request),
        _paths_option(request),
        with_readonly_root(request.container.security.readonly_rootfs),
    )


def _seccomp_option(request: SpecRequest) -> Option:
    security = request.container.security
    kind = security.seccomp.kind if security.seccomp else ProfileKind.UNCONFINED
    if security.privileged or kind is ProfileKind.UNCONFINED:
        return without_seccomp()
    capabilities = frozenset(capabilities_of(request).held)
    architectures = request.host.seccomp_architectures
    if kind is ProfileKind.RUNTIME_DEFAULT:
        return with_seccomp(default_profile(architectures, capabilities))
    if request.localhost_seccomp is None:
        raise InvalidArgument(
            request.subject,
            "names a seccomp profile whose file was not read",
            remedy="put the profile where the pod says it is",
            reason="SeccompProfileMissing",
        )
    context = ProfileContext(
        architectures=architectures,
        capabilities=capabilities,
        kernel_release=request.host.kernel_release,
    )
    return with_seccomp(localhost_profile(request.localhost_seccomp, context))


def _apparmor_option(request: SpecRequest) -> Option:
    security = request.container.security
    kind = security.apparmor.kind if security.apparmor else ProfileKind.RUNTIME_DEFAULT
    if kind is ProfileKind.LOCALHOST and security.apparmor and not security.privileged:
        if not request.host.apparmor_enabled:
            raise InvalidArgument(
                request.subject,
                "asks for an AppArmor profile, but this host has no AppArmor",
                remedy="schedule the pod on a node with AppArmor",
                reason="NoAppArmor",
            )
        return with_apparmor(security.apparmor.localhost_ref.removeprefix(_APPARMOR_PREFIX))
    default = request.handler.apparmor_profile
    confined = request.host.apparmor_enabled and not security.privileged
    if confined and default and kind is ProfileKind.RUNTIME_DEFAULT:
        return with_apparmor(default)
    return unchanged


def _selinux_option(request: SpecRequest) -> Option:
    security = request.container.security
    label = security.selinux or request.sandbox.linux.security.selinux
    if not request.host.selinux_enabled or label is None or security.privileged:
        return unchanged
    mount_label = selinux_label(label, file=True)
    # A container that sees the host's processes keeps the daemon's label, as in CRI-O: a pod's could not act on them.
    spaces = security.namespaces
    if NamespaceMode.NODE in (spaces.pid, spaces.ipc):
        return with_selinux_labels("", mount_label)
    return with_selinux_labels(selinux_label(label), mount_label)


def selinux_label(options: SelinuxOptions, *, file: bool = False) -> str:
    """Return `user:role:type:level` of a process, or of the files that it may use; empty without a level or type."""
    user = options.user or "system_u"
    role = "object_r" if file else options.role or "system_r"
    type = _FILE_TYPE if file else options.type or "container_t"
    return ":".join((user, role, type, options.level or "s0"))


def _paths_option(request: SpecRequest) -> Option:
    security = request.container.security
    masked, readonly = security.masked_paths, security.readonly_paths
    if security.privileged:
        masked, readonly = (), ()
    elif masked:
        masked = tuple(dict.fromkeys((*masked, *MASKED_PATHS, *_throttle_paths(request))))
    return lambda spec: with_readonly_paths(readonly)(with_masked_paths(masked)(spec))


def _throttle_paths(request: SpecRequest) -> tuple[str, ...]:
    # Each CPU has its own directory, and masks know no patterns. It tells when neighbours work hard (rule D9).
    numbers = range(request.host.cpu_count)
    return tuple(f"/sys/devices/system/cpu/cpu{number}/thermal_throttle" for number in numbers)


# --- options for specs in general


def with_seccomp(profile: Spec) -> Option:
    """Set the seccomp filter."""
    return set_value(("linux", "seccomp"), profile)


def without_seccomp() -> Option:
    """Remove the seccomp filter."""
    return remove_value(("linux", "seccomp"))


def with_apparmor(profile: str) -> Option:
    """Set the AppArmor profile by name."""
    return set_value(("process", "apparmorProfile"), profile)


def with_selinux_labels(process: str, mount: str) -> Option:
    """Set the labels of the process and of its mounts; an empty one is left alone."""

    def option(spec: Spec) -> Spec:
        if process:
            spec = set_value(("process", "selinuxLabel"), process)(spec)
        return set_value(("linux", "mountLabel"), mount)(spec) if mount else spec

    return option


def with_masked_paths(paths: Iterable[str]) -> Option:
    """Hide exactly these paths; none clears the list."""
    return set_value(("linux", "maskedPaths"), list(paths))


def with_readonly_paths(paths: Iterable[str]) -> Option:
    """Make exactly these paths read-only; none clears the list."""
    return set_value(("linux", "readonlyPaths"), list(paths))


def with_root(path: str) -> Option:
    """Set where the root filesystem is."""
    return set_value(("root", "path"), path)


def with_readonly_root(readonly: bool = True) -> Option:
    """Mount the root filesystem read-only, or not."""
    return set_value(("root", "readonly"), readonly)
