"""Everything that a container's spec is made of, gathered by the caller before anything is composed.

Plain frozen values: what the kubelet asked for, what the image says, what was looked up on the host (users, mount
sources, device numbers), and what the host and the handler's runtime can do. Composing reads nothing else, so the same
request always gives the same spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.records.container import ContainerConfig, Mount
from runtime.records.sandbox import SandboxConfig
from runtime.spec.document import Spec
from runtime.spec.image_defaults import ImageDefaults


@dataclass(frozen=True, kw_only=True, slots=True)
class HostFacts:
    """What this host allows, found once at start."""

    capabilities: tuple[str, ...]
    """Names (`CAP_CHOWN`) in the daemon's own effective set: no container can have more."""
    known_capabilities: tuple[str, ...]
    """Names that the kernel knows, up to /proc/sys/kernel/cap_last_cap."""
    oom_score_adj: int = 0
    """The daemon's own."""
    can_lower_oom_score: bool = True
    """Whether a child could write a lower value than the daemon's; found by trying, not by capability."""
    hard_rlimits: Mapping[str, int] = field(default_factory=dict)
    """The daemon's hard limits by name (`RLIMIT_NOFILE`); RLIM_INFINITY is 2^64-1."""
    can_raise_rlimits: bool = False
    """Whether the daemon may go beyond them (CAP_SYS_RESOURCE)."""
    cgroup_version: int = 2
    """1 or 2."""
    cgroup_controllers: tuple[str, ...] = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")
    """Controllers that can be used; on v1 `cpu`, `cpuset`, ... as well."""
    swap_accounting: bool = True
    """Whether memory plus swap can be limited."""
    kernel_release: str = ""
    """`uname -r`, for example 6.1.0-18-amd64."""
    seccomp_architectures: tuple[str, ...] = ("SCMP_ARCH_X86_64",)
    """The native one first, then those whose programs the kernel runs too."""
    cpu_count: int = 0
    """CPUs that the host may have (`/sys/devices/system/cpu/possible`), for paths that are masked per CPU."""
    apparmor_enabled: bool = False
    selinux_enabled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedDevice:
    """A device node to make in the container."""

    path: str
    """In the container."""
    type: str
    """`c`, `b`, `u` or `p`."""
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0
    permissions: str = "rwm"
    """Allowed to the container's processes by the device cgroup; empty allows nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedMount:
    """A mount of the request with the place that its source was found at."""

    mount: Mount
    source: str
    """Host path after its links were followed, or where the image volume's view is mounted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedVolume:
    """A VOLUME of the image and the directory of ours that backs it."""

    container_path: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespacePaths:
    """Where each namespace comes from: a path joins one, empty makes a new one, a host flag uses the host's.

    The mount namespace is always new; the cgroup namespace is new on cgroup v2 unless the container is privileged.
    """

    network: str = ""
    ipc: str = ""
    uts: str = ""
    pid: str = ""
    """The pod's or the target container's; empty for one of its own."""
    user: str = ""
    """The pod's pinned user namespace; empty when the pod has none."""
    host_network: bool = False
    host_ipc: bool = False
    host_uts: bool = False
    host_pid: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PodFiles:
    """Files of the pod on its own tmpfs that are bound into each container; empty for none."""

    hostname: str = ""
    resolv_conf: str = ""
    hosts: str = ""
    shm: str = ""
    """The pod's /dev/shm, or the host's when the pod shares its IPC namespace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedUser:
    """The user of a container's first process, looked up in the image."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = (0,)
    """All groups including the primary one, sorted."""
    home: str = "/"
    username: str = ""
    """Empty when the image's passwd does not know the uid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeFeatures:
    """What the handler's OCI runtime can do (see DriverFeatures in drivers)."""

    recursive_read_only_mounts: bool = False
    user_namespaces: bool = False
    mount_options: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rlimit:
    """A resource limit of a container's processes (getrlimit(2))."""

    type: str
    """`RLIMIT_NOFILE` and so on."""
    soft: int
    hard: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerSettings:
    """Settings of the handler that shape its containers' specs."""

    name: str = ""
    privileged_without_host_devices: bool = False
    privileged_without_host_devices_all_devices_allowed: bool = False
    allowed_annotations: tuple[str, ...] = ()
    """Exact names of pod or container annotations that reach the OCI runtime (security rule D6)."""
    default_annotations: tuple[tuple[str, str], ...] = ()
    """Written by the administrator for every container of this handler."""
    default_env: tuple[tuple[str, str], ...] = ()
    default_rlimits: tuple[Rlimit, ...] = ()
    pids_limit: int = 0
    """Processes per container, 0 for no limit of ours."""
    cgroup_writable: bool = False
    """Mount /sys/fs/cgroup writable in unprivileged containers too."""
    apparmor_profile: str = ""
    """Name of the profile that RuntimeDefault means; it is loaded by the administrator or the daemon."""
    base_spec: Spec | None = None
    """Replaces the default spec before anything of the request is applied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecRequest:
    """One container to be."""

    container_id: str
    sandbox_id: str
    container: ContainerConfig
    sandbox: SandboxConfig
    image: ImageDefaults
    rootfs: str
    """Absolute path of the mounted root filesystem."""
    host: HostFacts
    user: ResolvedUser = ResolvedUser()
    hostname: str = ""
    """The pod's, as `hostname_for` gave it."""
    image_name: str = ""
    """For the annotation; falls back to what was asked for."""
    mounts: tuple[ResolvedMount, ...] = ()
    volumes: tuple[ResolvedVolume, ...] = ()
    devices: tuple[ResolvedDevice, ...] = ()
    """Devices asked for; directories already walked."""
    host_devices: tuple[ResolvedDevice, ...] = ()
    """Every device of the host, for privileged containers alone."""
    namespaces: NamespacePaths = NamespacePaths()
    cgroups_path: str = ""
    pod_files: PodFiles = PodFiles()
    features: RuntimeFeatures = RuntimeFeatures()
    handler: HandlerSettings = HandlerSettings()
    localhost_seccomp: str | None = None
    """Text of the profile file that a Localhost seccomp profile names, None when it names none."""

    @property
    def subject(self) -> str:
        """The container as an error names it."""
        pod = self.sandbox.metadata
        return f"container {pod.namespace}/{pod.name}/{self.container.metadata.name}"
