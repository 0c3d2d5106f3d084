"""A pod sandbox: what was asked for, what it became, and the states it can be in.

States: (absent) --run--> READY --stop or death of what holds it--> NOTREADY --remove--> (absent).
A sandbox is never visible before it is READY. Pure values; nothing is checked or applied here.
"""

from dataclasses import dataclass
from enum import StrEnum

from runtime.records.resources import LinuxResources
from runtime.records.security import SandboxSecurity


class SandboxState(StrEnum):
    """CRI PodSandboxState."""

    READY = "ready"
    NOTREADY = "notready"


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxMetadata:
    """Names a pod on this node; the four fields together are unique."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsConfig:
    """Lines of resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PortMapping:
    """A port of the host that leads to one of the pod; host_port 0 means none."""

    protocol: str = "tcp"
    """`tcp`, `udp` or `sctp`."""
    container_port: int
    host_port: int = 0
    host_ip: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinuxSandboxConfig:
    """LinuxPodSandboxConfig."""

    cgroup_parent: str = ""
    security: SandboxSecurity = SandboxSecurity()
    sysctls: tuple[tuple[str, str], ...] = ()
    """Name and value, sorted by name."""
    overhead: LinuxResources | None = None
    resources: LinuxResources | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxConfig:
    """PodSandboxConfig. A request without linux section has the default LinuxSandboxConfig."""

    metadata: SandboxMetadata
    hostname: str = ""
    log_directory: str = ""
    dns: DnsConfig | None = None
    """None: copy the host's resolv.conf. Given but empty: an empty file."""
    port_mappings: tuple[PortMapping, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    linux: LinuxSandboxConfig = LinuxSandboxConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class PodAddresses:
    """IP addresses of a pod; empty on the host's network."""

    ip: str = ""
    additional_ips: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxRecord:
    """A sandbox as this node knows it; replaced as a whole on each change."""

    id: str
    """64 lower-case hex digits."""
    config: SandboxConfig
    runtime_handler: str
    """As requested; empty means the default handler."""
    handler: str
    """Name of the handler that is used."""
    state: SandboxState
    created_at_ns: int
    addresses: PodAddresses = PodAddresses()
    hostname: str = ""
    pause_pid: int = 0
    """Process that holds the pod's PID namespace, 0 when it has none."""
    pause_requested: bool = False
    """True from before a pause process is started for a container that shares process ids in a pod run without one."""
    pause_start_time: int = 0
    """Start time of that process in clock ticks since boot (proc_pid_stat(5)), so that a recycled pid is noticed."""
    network_attached: bool = False
    """True from before CNI ADD until CNI DEL was acknowledged."""
    network_config: str = ""
    """The CNI configuration list (JSON) that ADD used and DEL must use."""
    network_result: str = ""
    """CNI result (JSON) of ADD."""
    stop_requested: bool = False
    """StopPodSandbox was asked for: what it could not release is tried again until it is."""
