"""Namespaces and profiles that a pod, or a container in its pod, cannot have."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.sandbox import LinuxSandboxConfig, SandboxConfig
from runtime.records.security import (
    ContainerSecurity,
    NamespaceMode,
    NamespaceOptions,
    ProfileKind,
    SandboxSecurity,
    SecurityProfile,
    SelinuxOptions,
    UserNamespace,
)
from runtime.spec.request import RuntimeFeatures
from runtime.spec.validate_security import check_container_security, check_pod_security
from runtime.tests.spec.samples import ABLE, CONTAINER, MAPPED_POD, MAPPING, POD, USERNS

NODE, TARGET, OWN = NamespaceMode.NODE, NamespaceMode.TARGET, NamespaceMode.CONTAINER
ON_HOST = NamespaceOptions(network=NODE, ipc=NODE, pid=NODE)


def _pod(security: SandboxSecurity) -> SandboxConfig:
    return replace(POD, linux=LinuxSandboxConfig(security=security))


def _mapped(userns: UserNamespace) -> SandboxSecurity:
    return SandboxSecurity(namespaces=NamespaceOptions(userns=userns))


def _local(path: str) -> SecurityProfile:
    return SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref=path)


@pytest.mark.parametrize(
    "security",
    [
        SandboxSecurity(),
        SandboxSecurity(namespaces=ON_HOST, privileged=True),
        SandboxSecurity(namespaces=NamespaceOptions(pid=OWN)),
        _mapped(USERNS),
        _mapped(UserNamespace(mode=NODE)),
        SandboxSecurity(seccomp=_local("/p/x.json"), apparmor=_local("localhost/x")),
        SandboxSecurity(seccomp=SecurityProfile(kind=ProfileKind.UNCONFINED)),
        SandboxSecurity(selinux=SelinuxOptions(type="container_t", level="s0:c1,c2")),
    ],
)
def test_usable_pod_passes(security: SandboxSecurity) -> None:
    check_pod_security("pod x", _pod(security), ABLE)


@pytest.mark.parametrize(
    ("security", "reason"),
    [
        (SandboxSecurity(namespaces=NamespaceOptions(network=OWN)), "BadNamespaceMode"),
        (SandboxSecurity(namespaces=NamespaceOptions(ipc=TARGET)), "BadNamespaceMode"),
        (
            SandboxSecurity(namespaces=NamespaceOptions(pid=TARGET, target_id="a")),
            "BadNamespaceMode",
        ),
        (SandboxSecurity(namespaces=NamespaceOptions(pid=TARGET)), "BadNamespaceTarget"),
        (SandboxSecurity(namespaces=NamespaceOptions(target_id="a")), "BadNamespaceTarget"),
        (_mapped(UserNamespace(mode=OWN)), "BadUserNamespace"),
        (_mapped(UserNamespace(mode=TARGET)), "BadUserNamespace"),
        (_mapped(UserNamespace(mode=NODE, uids=(MAPPING,))), "BadUserNamespace"),
        (_mapped(replace(USERNS, uids=())), "BadUserNamespace"),
        (
            _mapped(replace(USERNS, uids=(MAPPING, MAPPING), gids=(MAPPING, MAPPING))),
            "BadUserNamespace",
        ),
        (_mapped(replace(USERNS, gids=(replace(MAPPING, host_id=1),))), "BadUserNamespace"),
        *(
            (_mapped(replace(USERNS, uids=(bad,), gids=(bad,))), "BadUserNamespace")
            for bad in (
                replace(MAPPING, container_id=1),
                replace(MAPPING, length=0),
                replace(MAPPING, host_id=-1),
                replace(MAPPING, host_id=2**32 - 1),
            )
        ),
        (SandboxSecurity(seccomp=_local("")), "BadLocalhostProfile"),
        (SandboxSecurity(seccomp=_local("x.json")), "BadLocalhostProfile"),
        (SandboxSecurity(seccomp=_local("/a/../x")), "BadLocalhostProfile"),
        (SandboxSecurity(seccomp=_local("/a\nb")), "BadCharacter"),
        (SandboxSecurity(apparmor=_local("")), "BadLocalhostProfile"),
        (SandboxSecurity(selinux=SelinuxOptions(type="a:b")), "BadCharacter"),
        (SandboxSecurity(selinux=SelinuxOptions(level="s0 x")), "BadCharacter"),
    ],
)
def test_unusable_pod_is_refused(security: SandboxSecurity, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        check_pod_security("pod x", _pod(security), ABLE)


def test_user_namespace_needs_a_runtime_that_maps_volumes() -> None:
    with pytest.raises(InvalidArgument, match="UserNamespacesUnsupported"):
        check_pod_security("pod x", MAPPED_POD, RuntimeFeatures())


@pytest.mark.parametrize(
    ("security", "pod"),
    [
        (ContainerSecurity(), SandboxSecurity()),
        (ContainerSecurity(), SandboxSecurity(namespaces=ON_HOST)),
        (ContainerSecurity(namespaces=ON_HOST), SandboxSecurity(namespaces=ON_HOST)),
        (ContainerSecurity(privileged=True), SandboxSecurity(privileged=True)),
        (
            ContainerSecurity(namespaces=NamespaceOptions(pid=TARGET, target_id="a")),
            SandboxSecurity(),
        ),
        (ContainerSecurity(namespaces=NamespaceOptions(userns=USERNS)), _mapped(USERNS)),
        (ContainerSecurity(), _mapped(USERNS)),
        (
            ContainerSecurity(namespaces=NamespaceOptions(userns=UserNamespace(mode=NODE))),
            SandboxSecurity(),
        ),
        (ContainerSecurity(masked_paths=("/proc/x",)), SandboxSecurity()),
    ],
)
def test_container_that_fits_its_pod_passes(
    security: ContainerSecurity, pod: SandboxSecurity
) -> None:
    check_container_security("container x", replace(CONTAINER, security=security), _pod(pod))


@pytest.mark.parametrize(
    ("security", "reason"),
    [
        (ContainerSecurity(privileged=True), "PrivilegedInPlainPod"),
        (ContainerSecurity(namespaces=NamespaceOptions(network=OWN)), "BadNamespaceMode"),
        (ContainerSecurity(namespaces=NamespaceOptions(network=NODE)), "NamespaceConflict"),
        (ContainerSecurity(namespaces=NamespaceOptions(ipc=NODE)), "NamespaceConflict"),
        (ContainerSecurity(namespaces=NamespaceOptions(pid=NODE)), "NamespaceConflict"),
        (ContainerSecurity(namespaces=NamespaceOptions(userns=USERNS)), "NamespaceConflict"),
        (ContainerSecurity(seccomp=_local("")), "BadLocalhostProfile"),
        (ContainerSecurity(apparmor=_local("a\0b")), "BadCharacter"),
        (ContainerSecurity(selinux=SelinuxOptions(user="a\n")), "BadCharacter"),
        (ContainerSecurity(masked_paths=("proc",)), "BadSecurityPath"),
        (ContainerSecurity(readonly_paths=("/" + "x" * 5000,)), "TextTooLong"),
    ],
)
def test_container_that_asks_for_more_than_its_pod_is_refused(
    security: ContainerSecurity, reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        check_container_security("container x", replace(CONTAINER, security=security), POD)
