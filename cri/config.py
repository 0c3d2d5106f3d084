"""The settings of a daemon: every key, its default and the reason for that default.

Frozen values. Nothing here reads a file (`config_reader` does) or checks the machine (`startup_checks` does). The key
of a setting in TOML is its path here: `Settings.image.platform` is `platform` in section `[image]`.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import TypeVar

ValueType = TypeVar("ValueType")


def setting(default: ValueType, reason: str, *, secret: bool = False) -> ValueType:
    """Declare a setting with its default and the reason for it; `secret` values are shown as `***`."""
    return field(default=default, metadata={"reason": reason, "secret": secret})


@dataclass(frozen=True, kw_only=True, slots=True)
class CriSettings:
    """Section `[cri]`: the socket of kubelet and crictl."""

    address: str = setting(
        "", "empty: lading.sock in the state directory, a path socket that only root can open"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamingSettings:
    """Section `[streaming]`: the server behind exec, attach and port-forward URLs."""

    address: str = setting(
        "127.0.0.1:0", "loopback: the kubelet alone connects; port 0 takes a free one"
    )
    tls_cert: str = setting("", "empty: plain HTTP, since traffic stays on loopback")
    tls_key: str = setting("", "the key of tls_cert; both or none")
    idle_timeout_seconds: int = setting(14400, "4 hours, as the kubelet's own streaming timeout")


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminSettings:
    """Section `[admin]`: the socket of the lading command."""

    address: str = setting("", "empty: admin.sock in the state directory, mode 0600")


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSettings:
    """Section `[image]`: pulling and keeping images."""

    registry_config_path: str = setting(
        "/etc/lading/certs.d",
        "one directory per registry host with hosts.toml, the form that containerd uses",
    )
    pinned_images: tuple[str, ...] = setting(
        (), "none: no infra container, so no image must be kept for pods"
    )
    max_concurrent_downloads: int = setting(
        3, "layers of one image at a time; more rarely helps on one link"
    )
    max_downloads: int = setting(
        12, "of all pulls together; small images go first, so a huge one does not hold up the rest"
    )
    max_downloads_per_registry: int = setting(
        6, "of all pulls from one registry host, so that a slow one leaves room for others"
    )
    max_bytes_per_second: int = setting(
        0, "0: no limit; else of all downloads of this node together"
    )
    docker_config_path: str = setting(
        "",
        "empty: none; else docker's config.json, for requests without credentials (auths, credHelpers, credsStore)",
    )
    policy_path: str = setting(
        "",
        "empty: every image is accepted; else a TOML file that says per registry prefix what may run",
    )
    warm_worker_seconds: int = setting(
        120, "a worker that waits saves the next pull 0.3 s and takes 45 MB; 0: none waits"
    )
    gc_period_seconds: int = setting(
        3600,
        "content that no image needs any more goes with the image; this finds what failed pulls left; 0: never",
    )
    worker_uid: int = setting(
        61099,
        "the user without any capability that a pull worker becomes where layers are indexed; it need not be in"
        " passwd, and 61099 is no package's and outside the ranges of login.defs and systemd; 0 stays root"
        " without most capabilities",
    )
    worker_memory: int = setting(
        2 * 2**30,
        "bytes of all pull workers together, page cache included; one takes 75 MB for 60 000 files, and at a quarter"
        " of this a pull is as fast as without; 0: no limit",
    )
    max_partial_bytes: int = setting(
        8 * 2**30,
        "of downloads that broke off, for the next pull to go on with; 0 keeps none, oldest go first",
    )
    max_partial_age_seconds: int = setting(
        86400, "a day: who has not pulled again by then has given up"
    )
    platform: str = setting("", "empty: this host's; otherwise os/architecture[/variant]")
    proxy: str = setting(
        "", "empty: HTTPS_PROXY and HTTP_PROXY of the daemon's environment", secret=True
    )
    no_proxy: str = setting("", "empty: NO_PROXY of the daemon's environment")
    require_schema2: bool = setting(default=False, reason="old registries still serve schema 1")
    layer_store: str = setting(
        "auto",
        "file where this kernel mounts files (Linux 6.12), else extract; loop takes two devices a layer",
    )
    max_layer_bytes: int = setting(
        64 * 2**30, "uncompressed bytes of one layer; larger ones are taken for bombs"
    )
    max_layer_entries: int = setting(
        4_000_000, "files of one layer; the largest known images have under 1 million"
    )
    max_path_depth: int = setting(1024, "components of one path; PATH_MAX allows 2048")
    no_progress_seconds: int = setting(
        300, "a pull that moves no byte for so long is ended and said why"
    )
    unpack_timeout_seconds: int = setting(
        300, "the same while layers are unpacked: a disk that takes so long has failed"
    )
    connect_timeout_seconds: int = setting(
        30, "name, TCP and TLS; 5 for mirrors, dial_timeout in hosts.toml overrides both"
    )
    first_byte_timeout_seconds: int = setting(
        60,
        "from a request to the head of its answer; cold storage behind a registry takes 30;"
        " 10 for a mirror's manifest while there is another place to ask",
    )
    min_bytes_per_second: int = setting(
        1024, "below any usable line; a download that is slower over a window is resumed elsewhere"
    )
    min_rate_window_seconds: int = setting(
        60, "over which the rate is judged, long enough for a registry that restarts"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSettings:
    """Section `[network]`: CNI."""

    cni_conf_dir: str = setting(
        "/etc/cni/net.d", "where network add-ons install their configuration"
    )
    cni_bin_dirs: tuple[str, ...] = setting(
        ("/opt/cni/bin", "/usr/lib/cni"),
        "where add-ons and Debian's package install plugins, first match wins",
    )
    cni_timeout_seconds: int = setting(
        60, "one plugin call; add-ons answer in under 5 s when they work"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerSettings:
    """Section `[runtime.handlers.NAME]`: one OCI runtime, chosen by a RuntimeClass."""

    path: str = setting("", "empty: the program NAME on the daemon's PATH")
    runtime_args: tuple[str, ...] = setting((), "global arguments before the verb")
    privileged_without_host_devices: bool = setting(
        default=False, reason="privileged means all host devices, as the kubelet's users expect"
    )
    allowed_annotations: tuple[str, ...] = setting(
        (), "pod annotations that may reach the runtime, exact names"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeSettings:
    """Section `[runtime]`: running containers."""

    default_handler: str = setting(
        "", "empty: crun where it works, else runc; the log says which and why"
    )
    cgroup_driver: str = setting(
        "auto", "systemd when it is process 1, else cgroupfs; the kubelet asks for it"
    )
    containers_root: str = setting(
        "",
        "empty: the root; else a directory that exists, for writable layers on a disk of their own",
    )
    monitor_path: str = setting("", "empty: conmon on the daemon's PATH")
    pause_path: str = setting("", "empty: the pause program that belongs to this version")
    create_timeout_seconds: int = setting(240, "a create on an overloaded disk can take minutes")
    start_timeout_seconds: int = setting(60, "starting what is created does little I/O")
    max_parallel_starts: int = setting(
        16, "creates and starts per handler at once; more only contend for the cgroup lock"
    )
    handlers: dict[str, HandlerSettings] = field(
        default_factory=lambda: {"crun": HandlerSettings(), "runc": HandlerSettings()},
        metadata={"reason": "the two runtimes that Debian has", "secret": False},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """Section `[log]`: the daemon's own log on standard error."""

    level: str = setting("info", "debug adds the documents sent to runtimes and plugins")
    format: str = setting("text", "text for the journal; json for collectors")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricsSettings:
    """Section `[metrics]`: Prometheus over TCP."""

    address: str = setting("", "empty: only on the admin socket")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of one daemon."""

    root: str = setting(
        "/var/lib/lading", "what survives a reboot: images, writable layers, the state database"
    )
    state: str = setting(
        "/run/lading", "what lives as long as the machine runs: bundles, pins, exit files, sockets"
    )
    cri: CriSettings = CriSettings()
    streaming: StreamingSettings = StreamingSettings()
    admin: AdminSettings = AdminSettings()
    image: ImageSettings = ImageSettings()
    network: NetworkSettings = NetworkSettings()
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()

    @property
    def cri_address(self) -> str:
        """The CRI socket as `unix:///PATH`."""
        return self.cri.address or f"unix://{self.state}/lading.sock"

    @property
    def admin_address(self) -> str:
        """The admin socket as `unix:///PATH`."""
        return self.admin.address or f"unix://{self.state}/admin.sock"


CHOICES = {
    "image.layer_store": ("auto", "file", "loop", "extract"),
    "runtime.cgroup_driver": ("auto", "cgroupfs", "systemd"),
    "log.level": ("debug", "info", "warning", "error"),
    "log.format": ("text", "json"),
}
"""Settings that take one of a few words."""

POSITIVE = (
    "streaming.idle_timeout_seconds",
    "image.max_concurrent_downloads",
    "image.max_downloads",
    "image.max_downloads_per_registry",
    "image.max_layer_bytes",
    "image.max_layer_entries",
    "image.max_path_depth",
    "image.no_progress_seconds",
    "image.unpack_timeout_seconds",
    "image.connect_timeout_seconds",
    "image.first_byte_timeout_seconds",
    "image.min_rate_window_seconds",
    "network.cni_timeout_seconds",
    "runtime.create_timeout_seconds",
    "runtime.start_timeout_seconds",
    "runtime.max_parallel_starts",
)
"""Settings that must be above 0."""

NOT_NEGATIVE = (
    "image.gc_period_seconds",
    "image.max_bytes_per_second",
    "image.min_bytes_per_second",
    "image.warm_worker_seconds",
    "image.worker_memory",
    "image.max_partial_bytes",
    "image.max_partial_age_seconds",
    "image.worker_uid",
)
"""Settings that must be 0 or more."""


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Return every setting below `value` as dotted key and value, in order of declaration."""
    flat: dict[str, object] = {}
    if isinstance(value, dict):
        for name, entry in value.items():
            flat.update(flatten(entry, f"{prefix}{name}."))
    elif is_dataclass(value):
        for each in fields(value):
            inner = getattr(value, each.name)
            if is_dataclass(inner) or isinstance(inner, dict):
                flat.update(flatten(inner, f"{prefix}{each.name}."))
            else:
                flat[f"{prefix}{each.name}"] = inner
    return flat
