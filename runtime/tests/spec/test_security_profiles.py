"""What confines a container, and what does not when it is privileged."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.security import (
    ContainerSecurity,
    NamespaceMode,
    NamespaceOptions,
    ProfileKind,
    SecurityProfile,
    SelinuxOptions,
)
from runtime.spec import security_profiles as profiles
from runtime.spec.document import Spec, apply, texts_at, value_at
from runtime.spec.platform_defaults import MASKED_PATHS
from runtime.spec.request import HandlerSettings, SpecRequest
from runtime.tests.spec.samples import CONTAINER, HOST, plain_request

DEFAULT = SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT)
UNCONFINED = SecurityProfile(kind=ProfileKind.UNCONFINED)
LOCAL = SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref="/p/profile.json")
ARMOR = SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref="localhost/mine")
LEVEL = SelinuxOptions(level="s0:c1,c2")
SECURE_HOST = replace(HOST, apparmor_enabled=True, selinux_enabled=True, cpu_count=2)
HANDLER = HandlerSettings(apparmor_profile="lading-default")


def _request(security: ContainerSecurity, *, bare: bool = False) -> SpecRequest:
    request = plain_request(replace(CONTAINER, security=security))
    return replace(request, host=HOST if bare else SECURE_HOST, handler=HANDLER)


def _spec(security: ContainerSecurity, *, bare: bool = False) -> Spec:
    return apply({}, *profiles.security_options(_request(security, bare=bare)))


@pytest.mark.parametrize(
    ("profile", "privileged", "action"),
    [
        (None, False, None),
        (UNCONFINED, False, None),
        (DEFAULT, False, "SCMP_ACT_ERRNO"),
        (DEFAULT, True, None),
        (LOCAL, True, None),
    ],
)
def test_seccomp_is_set_only_when_asked_for(
    profile: SecurityProfile | None, privileged: bool, action: str | None
) -> None:
    spec = _spec(ContainerSecurity(seccomp=profile, privileged=privileged))
    assert value_at(spec, "linux", "seccomp", "defaultAction") == action


def test_localhost_profile_is_taken_from_its_text() -> None:
    text = '{"defaultAction": "SCMP_ACT_LOG"}'
    request = _request(ContainerSecurity(seccomp=LOCAL))
    spec = apply({}, *profiles.security_options(replace(request, localhost_seccomp=text)))
    assert value_at(spec, "linux", "seccomp", "defaultAction") == "SCMP_ACT_LOG"
    with pytest.raises(InvalidArgument, match="SeccompProfileMissing"):
        profiles.security_options(request)


@pytest.mark.parametrize(
    ("profile", "privileged", "name"),
    [
        (None, False, "lading-default"),
        (DEFAULT, False, "lading-default"),
        (UNCONFINED, False, None),
        (ARMOR, False, "mine"),
        (DEFAULT, True, None),
        (ARMOR, True, None),
    ],
)
def test_apparmor_is_the_handlers_default_or_the_named_one(
    profile: SecurityProfile | None, privileged: bool, name: str | None
) -> None:
    spec = _spec(ContainerSecurity(apparmor=profile, privileged=privileged))
    assert value_at(spec, "process", "apparmorProfile") == name


def test_host_without_apparmor_refuses_a_named_profile_alone() -> None:
    assert value_at(_spec(ContainerSecurity(), bare=True), "process") is None
    with pytest.raises(InvalidArgument, match="NoAppArmor"):
        _spec(ContainerSecurity(apparmor=ARMOR), bare=True)


@pytest.mark.parametrize(
    ("security", "process", "mount"),
    [
        (ContainerSecurity(), None, None),
        (
            ContainerSecurity(selinux=LEVEL),
            "system_u:system_r:container_t:s0:c1,c2",
            "system_u:object_r:container_file_t:s0:c1,c2",
        ),
        (ContainerSecurity(selinux=LEVEL, privileged=True), None, None),
        (
            ContainerSecurity(
                selinux=SelinuxOptions(user="u", role="r", type="t"),
                namespaces=NamespaceOptions(pid=NamespaceMode.NODE),
            ),
            None,
            "u:object_r:container_file_t:s0",
        ),
    ],
)
def test_selinux_labels(
    security: ContainerSecurity, process: str | None, mount: str | None
) -> None:
    spec = _spec(security)
    assert value_at(spec, "process", "selinuxLabel") == process
    assert value_at(spec, "linux", "mountLabel") == mount
    assert value_at(_spec(security, bare=True), "linux", "mountLabel") is None


@pytest.mark.parametrize(
    ("masked", "privileged", "found"),
    [
        ((), False, ()),
        (("/proc/mine",), True, ()),
        (
            ("/proc/mine", "/proc/kcore"),
            False,
            (
                "/proc/mine",
                "/proc/kcore",
                *(path for path in MASKED_PATHS if path != "/proc/kcore"),
                "/sys/devices/system/cpu/cpu0/thermal_throttle",
                "/sys/devices/system/cpu/cpu1/thermal_throttle",
            ),
        ),
    ],
)
def test_masked_paths_are_extended_only_when_there_are_any(
    masked: tuple[str, ...], privileged: bool, found: tuple[str, ...]
) -> None:
    security = ContainerSecurity(
        masked_paths=masked, readonly_paths=("/proc/sys",), privileged=privileged
    )
    spec = _spec(security)
    assert texts_at(spec, "linux", "maskedPaths") == found
    assert texts_at(spec, "linux", "readonlyPaths") == (() if privileged else ("/proc/sys",))


def test_root_is_read_only_when_asked_for() -> None:
    spec = _spec(ContainerSecurity(readonly_rootfs=True))
    assert value_at(spec, "root", "readonly") is True
    assert value_at(profiles.with_root("/r")(spec), "root", "path") == "/r"
    assert profiles.with_selinux_labels("p", "")({}) == {"process": {"selinuxLabel": "p"}}
