"""Media types of manifests, configs and layers: the tables, and what each type is taken for.

Pure. Sources: image-spec media-types.md and Docker's manifest v2 schema 1 and 2. A type that is not in these tables
is refused by name; nothing is guessed from content.
"""

from enum import Enum

DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

MANIFEST_ACCEPT = (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_MANIFEST,
    OCI_INDEX,
    "*/*;q=0.1",  # schema 1 and others: to be refused by name rather than by the registry's 406
)
"""Accept list of every manifest request (distribution-spec, "Pulling manifests")."""


class ManifestKind(Enum):
    """The manifest forms that exist."""

    MANIFEST = "manifest"
    INDEX = "index"
    SCHEMA1 = "schema 1"


class Compression(Enum):
    """How a layer's tar is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


_MANIFEST_KINDS = {
    DOCKER_SCHEMA1: ManifestKind.SCHEMA1,
    DOCKER_SCHEMA1_SIGNED: ManifestKind.SCHEMA1,
    DOCKER_MANIFEST: ManifestKind.MANIFEST,
    OCI_MANIFEST: ManifestKind.MANIFEST,
    DOCKER_MANIFEST_LIST: ManifestKind.INDEX,
    OCI_INDEX: ManifestKind.INDEX,
}

# what servers say that do not know manifests; the document itself must tell then
_GENERIC = frozenset(
    {
        "",
        "application/json",
        "application/octet-stream",
        "text/plain",
        "text/html",
        "binary/octet-stream",
    }
)

# octet-stream, json and html: old registries stored configs under these
_IMAGE_CONFIGS = frozenset(
    {DOCKER_CONFIG, OCI_CONFIG, "application/octet-stream", "application/json", "text/html", ""}
)

_REMOTE_CLASSES = (
    ("application/vnd.docker.plugin.", "plugin"),
    ("application/vnd.cncf.helm.", "helm chart"),
    ("application/vnd.wasm.", "wasm module"),
    ("application/vnd.cncf.notary.", "signature"),
    ("application/vnd.dev.cosign.", "signature"),
    ("application/vnd.oci.empty.", "artifact"),
)

_LAYERS: dict[str, tuple[Compression, bool]] = {
    "application/vnd.docker.image.rootfs.diff.tar": (Compression.NONE, False),
    DOCKER_LAYER_GZIP: (Compression.GZIP, False),
    "application/vnd.docker.image.rootfs.diff.tar.zstd": (Compression.ZSTD, False),
    "application/vnd.docker.image.rootfs.foreign.diff.tar": (Compression.NONE, True),
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (Compression.GZIP, True),
    "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd": (Compression.ZSTD, True),
    "application/vnd.oci.image.layer.v1.tar": (Compression.NONE, False),
    OCI_LAYER_GZIP: (Compression.GZIP, False),
    OCI_LAYER_ZSTD: (Compression.ZSTD, False),
    "application/vnd.oci.image.layer.nondistributable.v1.tar": (Compression.NONE, True),
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": (Compression.GZIP, True),
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": (Compression.ZSTD, True),
}


def bare_media_type(header: str) -> str:
    """Strip parameters and letter case from a Content-Type value (RFC 9110 section 8.3.1)."""
    return header.partition(";")[0].strip().lower()


def manifest_kind(media_type: str) -> ManifestKind | None:
    """Give the manifest form that `media_type` names, or None."""
    return _MANIFEST_KINDS.get(media_type)


def is_generic(media_type: str) -> bool:
    """Tell whether a Content-Type says nothing about the kind of document."""
    return media_type in _GENERIC


def is_image_config(media_type: str) -> bool:
    """Tell whether a config of this type is taken for a container image's."""
    return media_type in _IMAGE_CONFIGS


def remote_class(media_type: str) -> str:
    """Name the class of thing a config type belongs to, for the refusal: `plugin`, `helm chart`."""
    for prefix, name in _REMOTE_CLASSES:
        if media_type.startswith(prefix):
            return name
    return "unknown"


def layer_compression(media_type: str) -> Compression | None:
    """Give the packing of a layer type, or None when layers of this type cannot be used."""
    known = _LAYERS.get(media_type)
    return known[0] if known else None


def is_nondistributable(media_type: str) -> bool:
    """Tell whether registries need not have this layer: it comes from the descriptor's urls."""
    known = _LAYERS.get(media_type)
    return known is not None and known[1]
