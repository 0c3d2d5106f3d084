"""Build the requests that the kubelet sends for an ordinary pod, so that tests and measurements see
what a node sees: labels, annotations, log paths, cgroup parent, resources, masked paths, mounts.

Pure: names in, protobuf messages out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cri.api import api_pb2
from e2e.images.catalogue import BUSYBOX

NAMESPACE = "lading-e2e"
MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, kw_only=True)
class PodShape:
    """What differs between the pods of a run."""

    name: str
    cgroup_parent: str
    log_root: str
    pid_mode: api_pb2.NamespaceMode = api_pb2.CONTAINER
    network_mode: api_pb2.NamespaceMode = api_pb2.POD
    hostname: str = ""
    ports: tuple[api_pb2.PortMapping, ...] = ()
    attempt: int = 0

    @property
    def uid(self) -> str:
        """A stable uid for a name."""
        return f"uid-{self.name}"

    def namespaces(self) -> api_pb2.NamespaceOption:
        """Return the namespace modes; ipc is the pod's, as for every pod without hostIPC."""
        return api_pb2.NamespaceOption(
            network=self.network_mode, pid=self.pid_mode, ipc=api_pb2.POD
        )


@dataclass(frozen=True, kw_only=True)
class ContainerShape:
    """What differs between the containers of a pod."""

    name: str = "main"
    image: str = BUSYBOX
    command: tuple[str, ...] = ("sleep", "86400")
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    mounts: tuple[api_pb2.Mount, ...] = ()
    memory_limit: int = 0
    attempt: int = 0


def pod_labels(shape: PodShape) -> dict[str, str]:
    """Return the labels by which the kubelet finds a pod again."""
    return {
        "io.kubernetes.pod.name": shape.name,
        "io.kubernetes.pod.namespace": NAMESPACE,
        "io.kubernetes.pod.uid": shape.uid,
    }


def pod_cgroup(shape: PodShape) -> str:
    """Return the pod's cgroup; the kubelet makes it, here it is made by the first who needs it."""
    return f"{shape.cgroup_parent}/pod-{shape.name}"


def pod_hostname(shape: PodShape) -> str:
    """Return the host name; a pod on the host's network has the host's, so none is sent."""
    return "" if shape.network_mode == api_pb2.NODE else shape.hostname or shape.name


def pod_config(shape: PodShape) -> api_pb2.PodSandboxConfig:
    """Return the config of a pod sandbox."""
    sandbox_security = api_pb2.LinuxSandboxSecurityContext(
        namespace_options=shape.namespaces(),
        seccomp=api_pb2.SecurityProfile(profile_type=api_pb2.SecurityProfile.RuntimeDefault),
    )
    return api_pb2.PodSandboxConfig(
        metadata=api_pb2.PodSandboxMetadata(
            name=shape.name, uid=shape.uid, namespace=NAMESPACE, attempt=shape.attempt
        ),
        hostname=pod_hostname(shape),
        log_directory=f"{shape.log_root}/{NAMESPACE}_{shape.name}_{shape.uid}",
        dns_config=api_pb2.DNSConfig(
            servers=["10.96.0.10"],
            searches=[f"{NAMESPACE}.svc.cluster.local", "svc.cluster.local", "cluster.local"],
            options=["ndots:5"],
        ),
        port_mappings=shape.ports,
        labels=pod_labels(shape),
        annotations={
            "kubernetes.io/config.seen": "2026-01-01T00:00:00.000000000Z",
            "kubernetes.io/config.source": "api",
        },
        linux=api_pb2.LinuxPodSandboxConfig(
            cgroup_parent=pod_cgroup(shape),
            security_context=sandbox_security,
            overhead=api_pb2.LinuxContainerResources(),
            resources=api_pb2.LinuxContainerResources(cpu_period=100000, cpu_shares=102),
        ),
    )


def container_security(shape: PodShape) -> api_pb2.LinuxContainerSecurityContext:
    """Return the security context of a container that asks for nothing special."""
    return api_pb2.LinuxContainerSecurityContext(
        namespace_options=shape.namespaces(),
        run_as_user=api_pb2.Int64Value(value=0),
        seccomp=api_pb2.SecurityProfile(profile_type=api_pb2.SecurityProfile.RuntimeDefault),
        masked_paths=MASKED,
        readonly_paths=READ_ONLY,
    )


def container_config(pod: PodShape, shape: ContainerShape) -> api_pb2.ContainerConfig:
    """Return the config of a container."""
    resources = api_pb2.LinuxContainerResources(
        cpu_period=100000,
        cpu_shares=102,
        oom_score_adj=1000,
        memory_limit_in_bytes=shape.memory_limit,
    )
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", **shape.environment}
    return api_pb2.ContainerConfig(
        metadata=api_pb2.ContainerMetadata(name=shape.name, attempt=shape.attempt),
        image=api_pb2.ImageSpec(image=shape.image, user_specified_image=shape.image),
        command=shape.command,
        args=shape.arguments,
        envs=[
            api_pb2.KeyValue(key=key, value=value.encode()) for key, value in environment.items()
        ],
        mounts=shape.mounts,
        log_path=f"{shape.name}/{shape.attempt}.log",
        labels={**pod_labels(pod), "io.kubernetes.container.name": shape.name},
        annotations={
            "io.kubernetes.container.hash": "5e1a7",
            "io.kubernetes.container.restartCount": str(shape.attempt),
            "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
            "io.kubernetes.container.terminationMessagePolicy": "File",
            "io.kubernetes.pod.terminationGracePeriod": "30",
        },
        linux=api_pb2.LinuxContainerConfig(
            resources=resources, security_context=container_security(pod)
        ),
    )
