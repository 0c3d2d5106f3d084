"""How images are pulled, as the daemon is told: plain values; nothing here reads or decides."""

from dataclasses import dataclass, field

from image.protocol.transport_limits import TransportLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class PullSettings:
    """How images are pulled; each default has its reason in the configuration's documentation."""

    registry_config_path: str = "/etc/lading/certs.d"
    max_concurrent_downloads: int = 3
    platform: str = ""
    """Empty: this host's."""
    proxy: str = field(default="", repr=False)
    """May hold a password."""
    no_proxy: str = ""
    require_schema2: bool = False
    layer_store: str = "auto"
    """`extract` extracts layers to directories; anything else keeps new ones as the store has chosen."""
    max_layer_bytes: int = 64 * 2**30
    max_layer_entries: int = 4_000_000
    max_path_depth: int = 1024
    no_progress_seconds: float = 300
    unpack_seconds: float = 300
    """The same while layers are unpacked."""
    transport: TransportLimits = TransportLimits()
    """What each stage of a request may take."""
    docker_config_path: str = ""
    """Docker's config.json with credentials of this node; empty for none."""
    policy_path: str = ""
    """Which images are accepted; empty for all."""
    max_downloads: int = 0
    """Of all pulls together; 0 is no limit."""
    max_downloads_per_registry: int = 0
    max_bytes_per_second: int = 0
    """Of all downloads together; 0 is no limit."""
    worker_uid: int = 0
    """Who a worker becomes that does not extract; 0 keeps root, with the capabilities of extraction."""
    warm_worker_seconds: float = 0.0
    """How long one started worker waits for the next pull; 0 starts each when it is needed."""
