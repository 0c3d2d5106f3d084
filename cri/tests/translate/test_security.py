"""Security contexts keep every value on their way in, and namespaces come back as they were sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cri.api import api_pb2
from cri.translate.security import (
    container_security,
    namespace_message,
    namespace_options,
    sandbox_security,
)
from runtime.errors import InvalidArgument
from runtime.records.security import (
    Capabilities,
    ContainerSecurity,
    GroupsPolicy,
    ProfileKind,
    SandboxSecurity,
    SecurityProfile,
)

MODES = st.sampled_from(api_pb2.NamespaceMode.values())
MAPPINGS = st.lists(
    st.builds(
        api_pb2.IDMapping,
        host_id=st.integers(0, 2**32 - 1),
        container_id=st.integers(0, 2**32 - 1),
        length=st.integers(0, 2**32 - 1),
    ),
    max_size=2,
)
USERNS = st.builds(api_pb2.UserNamespace, mode=MODES, uids=MAPPINGS, gids=MAPPINGS)
OPTIONS = st.builds(
    api_pb2.NamespaceOption,
    network=MODES,
    pid=MODES,
    ipc=MODES,
    target_id=st.text(max_size=5),
    userns_options=st.none() | USERNS,
)


@given(OPTIONS)
def test_namespaces_come_back_verbatim(sent: api_pb2.NamespaceOption) -> None:
    assert namespace_message(namespace_options(sent)) == sent


def test_absent_contexts_have_the_default_values() -> None:
    assert sandbox_security(api_pb2.LinuxSandboxSecurityContext()) == SandboxSecurity()
    assert container_security(api_pb2.LinuxContainerSecurityContext()) == ContainerSecurity()


def test_user_zero_is_not_the_same_as_no_user() -> None:
    message = api_pb2.LinuxContainerSecurityContext(run_as_user=api_pb2.Int64Value(value=0))
    assert container_security(message).run_as_user == 0


@pytest.mark.parametrize(
    ("old", "wanted"),
    [
        ("", None),
        ("runtime/default", SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT)),
        ("docker/default", SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT)),
        ("unconfined", SecurityProfile(kind=ProfileKind.UNCONFINED)),
        ("localhost//a/b", SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref="/a/b")),
        ("localhost/", SecurityProfile(kind=ProfileKind.LOCALHOST, localhost_ref="")),
    ],
)
def test_deprecated_profile_texts_still_work(old: str, wanted: SecurityProfile | None) -> None:
    container = api_pb2.LinuxContainerSecurityContext(
        seccomp_profile_path=old, apparmor_profile=old
    )
    sandbox = api_pb2.LinuxSandboxSecurityContext(seccomp_profile_path=old)
    assert container_security(container).seccomp == wanted
    assert container_security(container).apparmor == wanted
    assert sandbox_security(sandbox).seccomp == wanted


def test_the_new_profile_wins_over_the_old_text() -> None:
    profile = api_pb2.SecurityProfile(profile_type=api_pb2.SecurityProfile.Localhost)
    message = api_pb2.LinuxContainerSecurityContext(
        seccomp=profile, seccomp_profile_path="unconfined"
    )
    seccomp = container_security(message).seccomp
    assert seccomp is not None
    assert seccomp.kind is ProfileKind.LOCALHOST


def test_an_empty_profile_message_means_the_runtime_default() -> None:
    message = api_pb2.LinuxSandboxSecurityContext(seccomp=api_pb2.SecurityProfile())
    assert sandbox_security(message).seccomp == SecurityProfile(kind=ProfileKind.RUNTIME_DEFAULT)


@pytest.mark.parametrize(
    "message",
    [
        api_pb2.LinuxContainerSecurityContext(seccomp_profile_path="bogus"),
        api_pb2.LinuxContainerSecurityContext(
            namespace_options=api_pb2.NamespaceOption(pid=77)  # type: ignore[arg-type]
        ),
        api_pb2.LinuxContainerSecurityContext(supplemental_groups_policy=9),  # type: ignore[arg-type]
        api_pb2.LinuxContainerSecurityContext(
            apparmor=api_pb2.SecurityProfile(profile_type=9)  # type: ignore[arg-type]
        ),
    ],
)
def test_values_of_a_later_api_are_refused(message: api_pb2.LinuxContainerSecurityContext) -> None:
    with pytest.raises(InvalidArgument):
        container_security(message)


def test_container_context_keeps_every_value() -> None:
    message = api_pb2.LinuxContainerSecurityContext(
        capabilities=api_pb2.Capability(
            add_capabilities=["ALL"],
            drop_capabilities=["KILL"],
            add_ambient_capabilities=["NET_RAW"],
        ),
        privileged=True,
        selinux_options=api_pb2.SELinuxOption(user="u", role="r", type="t", level="l"),
        run_as_group=api_pb2.Int64Value(value=7),
        run_as_username="me",
        readonly_rootfs=True,
        supplemental_groups=[5, 4],
        supplemental_groups_policy=api_pb2.Strict,
        no_new_privs=True,
        masked_paths=["/m"],
        readonly_paths=["/r"],
    )
    read = container_security(message)
    assert read.capabilities == Capabilities(add=("ALL",), drop=("KILL",), add_ambient=("NET_RAW",))
    assert read.selinux is not None
    assert read.selinux.level == "l"
    assert (read.run_as_user, read.run_as_group, read.run_as_username) == (None, 7, "me")
    assert (read.privileged, read.readonly_rootfs, read.no_new_privs) == (True, True, True)
    assert read.supplemental_groups == (5, 4)
    assert read.groups_policy is GroupsPolicy.STRICT
    assert (read.masked_paths, read.readonly_paths) == (("/m",), ("/r",))
