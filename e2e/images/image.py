"""Put layers together to an image as a registry serves it: config, manifest, manifest list.

Both families of media types can be made (Docker's and OCI's); a list always begins with a decoy
for another architecture, because a runtime that takes the first entry is a real fault. Pure bytes
in and out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from e2e.images.layer import GZIP, PLAIN, ZSTD, Layer, build_layer, digest_of, regular

OCI_SUFFIXES = {GZIP: "+gzip", ZSTD: "+zstd", PLAIN: ""}
DOCKER_SUFFIXES = {GZIP: ".gzip", ZSTD: ".zstd", PLAIN: ""}


@dataclass(frozen=True)
class MediaTypes:
    """The names one family gives to its documents."""

    config: str
    manifest: str
    index: str
    layer: str
    suffixes: dict[str, str]


OCI = MediaTypes(
    config="application/vnd.oci.image.config.v1+json",
    manifest="application/vnd.oci.image.manifest.v1+json",
    index="application/vnd.oci.image.index.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar",
    suffixes=OCI_SUFFIXES,
)
DOCKER = MediaTypes(
    config="application/vnd.docker.container.image.v1+json",
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    layer="application/vnd.docker.image.rootfs.diff.tar",
    suffixes=DOCKER_SUFFIXES,
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an image says about the process to run; empty fields are left out."""

    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = (
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    )
    working_directory: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""

    def as_config(self) -> dict[str, object]:
        """Return the `config` object of an image config."""
        whole: dict[str, object] = {
            "User": self.user,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "Env": list(self.environment),
            "WorkingDir": self.working_directory,
            "Labels": self.labels,
            "Volumes": {path: {} for path in self.volumes},
            "StopSignal": self.stop_signal,
        }
        return {name: value for name, value in whole.items() if value}


@dataclass(frozen=True, kw_only=True)
class Document:
    """A manifest or a list: bytes with their media type."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The digest a registry knows it by."""
        return digest_of(self.content)


@dataclass(frozen=True, kw_only=True)
class PublishedImage:
    """Everything to upload for one image: blobs first, then manifests, last the list."""

    blobs: dict[str, bytes]
    manifests: tuple[Document, ...]
    top: Document
    config_digest: str


def encode(value: object) -> bytes:
    """Return JSON in one fixed form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def descriptor(media_type: str, content: bytes) -> dict[str, object]:
    """Return the OCI descriptor of some bytes."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def config_bytes(settings: Settings, layers: Sequence[Layer], architecture: str) -> bytes:
    """Return the image config for one architecture."""
    return encode(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": settings.as_config(),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "e2e/images"}]
            * len(layers),
        }
    )


def manifest_for(config: bytes, layers: Sequence[Layer], family: MediaTypes) -> Document:
    """Return the manifest that names a config and its layers."""
    content = {
        "schemaVersion": 2,
        "mediaType": family.manifest,
        "config": descriptor(family.config, config),
        "layers": [
            descriptor(family.layer + family.suffixes[layer.compression], layer.blob)
            for layer in layers
        ],
    }
    return Document(media_type=family.manifest, content=encode(content))


def index_for(manifests: Sequence[tuple[str, Document]], family: MediaTypes) -> Document:
    """Return the manifest list of (architecture, manifest) pairs, in their order."""
    entries = [
        descriptor(manifest.media_type, manifest.content)
        | {"platform": {"os": "linux", "architecture": architecture}}
        for architecture, manifest in manifests
    ]
    content = {"schemaVersion": 2, "mediaType": family.index, "manifests": entries}
    return Document(media_type=family.index, content=encode(content))


def publish(
    settings: Settings, layers: Sequence[Layer], family: MediaTypes = OCI
) -> PublishedImage:
    """Return an image for linux/amd64 behind a list whose first entry is a decoy for arm64."""
    decoy = build_layer([regular("wrong-architecture", b"this image must not be chosen\n")])
    decoy_config = config_bytes(settings, [decoy], "arm64")
    real_config = config_bytes(settings, layers, "amd64")
    decoy_manifest = manifest_for(decoy_config, [decoy], family)
    real_manifest = manifest_for(real_config, layers, family)
    blobs = {digest_of(content): content for content in (decoy_config, real_config)}
    blobs |= {layer.digest: layer.blob for layer in (decoy, *layers)}
    return PublishedImage(
        blobs=blobs,
        manifests=(decoy_manifest, real_manifest),
        top=index_for([("arm64", decoy_manifest), ("amd64", real_manifest)], family),
        config_digest=digest_of(real_config),
    )
