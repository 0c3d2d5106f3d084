"""Plain values that leave the image package: what is stored, what was pulled, what is used.

Pure data; never touches the disk. `cri` translates these to and from CRI messages.
"""

from dataclasses import dataclass, field

from image.model.image_config import ImageConfig

ARCHIVE = "archive"
"""What stands in the place of an endpoint for an image that was imported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryAuth:
    """Credentials for one pull, as the CRI AuthConfig gives them. Never logged: its repr shows no value."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    """Base64 of `user:password`, used when username is empty."""
    server_address: str = ""
    """When set, the credentials are for this host alone."""
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRecord:
    """One layer of a stored image, bottom first in every sequence."""

    digest: str
    """Digest of the blob as the registry has it."""
    diff_id: str
    """Digest of the uncompressed tar."""
    chain_id: str
    """Identity of this layer on top of all below it (image-spec, config.md)."""
    size_bytes: int
    """Size of the blob as the registry has it."""
    source: str = ""
    """The endpoint that served the blob, several when it was resumed elsewhere; empty while nobody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """One image on this node with all its names; equal whichever name it was asked by."""

    id: str
    """`sha256:` and 64 hex: the digest of the config."""
    manifest_digest: str
    repo_tags: tuple[str, ...]
    """Normalised `host/name:tag`, sorted."""
    repo_digests: tuple[str, ...]
    """Normalised `host/name@digest`, sorted."""
    size_bytes: int
    """Bytes of manifest, config and layer blobs together, as the registry has them; above 0."""
    config: ImageConfig
    layers: tuple[LayerRecord, ...]
    disk_bytes: int = 0
    """What its files take on this disk, shared layers included."""
    pinned: bool = False
    source: str = ""
    """The endpoint that served its manifest last, without user and query; empty when it was not pulled."""
    config_source: str = ""
    """The endpoint that served its config."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesystemUsage:
    """Space that a part of the store takes on its filesystem."""

    mountpoint: str
    used_bytes: int
    inodes_used: int
    timestamp_ns: int
