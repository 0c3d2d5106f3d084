"""Requests and host facts that the tests of this package share; each test changes what it is about."""

from typing import TypedDict

from runtime.records.container import ContainerConfig, ContainerMetadata
from runtime.records.sandbox import LinuxSandboxConfig, SandboxConfig, SandboxMetadata
from runtime.records.security import IdMapping, NamespaceMode, SandboxSecurity, UserNamespace
from runtime.records.security import NamespaceOptions as Namespaces
from runtime.spec.capabilities import ALL_CAPABILITIES
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.request import HostFacts, RuntimeFeatures, SpecRequest

HOST = HostFacts(
    capabilities=tuple(name for name in ALL_CAPABILITIES if name != "CAP_SYS_RESOURCE"),
    known_capabilities=ALL_CAPABILITIES,
    can_lower_oom_score=False,
    hard_rlimits={"RLIMIT_NOFILE": 20000},
    kernel_release="6.1.0-18-amd64",
)
ABLE = RuntimeFeatures(recursive_read_only_mounts=True, user_namespaces=True, mount_options=True)
MAPPING = IdMapping(container_id=0, host_id=100000, length=65536)
USERNS = UserNamespace(mode=NamespaceMode.POD, uids=(MAPPING,), gids=(MAPPING,))
POD = SandboxConfig(metadata=SandboxMetadata(name="web", namespace="default", uid="u1"))
MAPPED_POD = SandboxConfig(
    metadata=POD.metadata,
    linux=LinuxSandboxConfig(security=SandboxSecurity(namespaces=Namespaces(userns=USERNS))),
)
CONTAINER = ContainerConfig(
    metadata=ContainerMetadata(name="app"), image="busybox", command=("/bin/app",)
)


class Plain(TypedDict):
    """The parts that every request must have."""

    container_id: str
    sandbox_id: str
    image: ImageDefaults
    rootfs: str
    host: HostFacts


PLAIN = Plain(
    container_id="a" * 64,
    sandbox_id="b" * 64,
    image=ImageDefaults(),
    rootfs="/run/lading/rootfs",
    host=HOST,
)


def plain_request(
    container: ContainerConfig = CONTAINER, sandbox: SandboxConfig = POD
) -> SpecRequest:
    """Return a request with nothing but a command."""
    return SpecRequest(container=container, sandbox=sandbox, hostname="web", **PLAIN)
