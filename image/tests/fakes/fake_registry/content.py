"""Makes the content of test images: layers, configs, manifests and indexes, byte for byte the same each time."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image.model.digest import Digest, sha256_digest
from image.model.media_types import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedLayer:
    """One layer as a registry has it, and what it unpacks to."""

    blob: bytes
    tar: bytes
    media_type: str = OCI_LAYER_GZIP

    @property
    def digest(self) -> Digest:
        """Digest of the blob."""
        return sha256_digest(self.blob)

    @property
    def diff_id(self) -> Digest:
        """Digest of the tar."""
        return sha256_digest(self.tar)


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedImage:
    """What a push left in the registry."""

    name: str
    """`HOST/REPOSITORY`, to which a tag or digest is added."""
    digest: Digest
    manifest: bytes
    media_type: str
    config: bytes
    layers: tuple[PushedLayer, ...]

    @property
    def config_digest(self) -> Digest:
        """Digest of the config: the image id."""
        return sha256_digest(self.config)


def layer_of(
    files: Mapping[str, bytes], *, compress: bool = True, media_type: str = ""
) -> PushedLayer:
    """Make a layer with these regular files, owned by root, of the year 1970."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    tar = target.getvalue()
    blob = gzip.compress(tar, mtime=0) if compress else tar
    usual = OCI_LAYER_GZIP if compress else "application/vnd.oci.image.layer.v1.tar"
    return PushedLayer(blob=blob, tar=tar, media_type=media_type or usual)


def config_of(
    layers: Sequence[PushedLayer],
    *,
    os: str = "linux",
    architecture: str = "amd64",
    execution: Mapping[str, object] | None = None,
) -> bytes:
    """Make a config that names the diff ids of `layers`; `execution` is its `config` member."""
    return json_bytes(
        {
            "architecture": architecture,
            "os": os,
            "config": dict(execution or {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )


def descriptor_of(
    content: bytes, media_type: str, *, platform: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Describe `content`."""
    described: dict[str, object] = {
        "mediaType": media_type,
        "digest": sha256_digest(content),
        "size": len(content),
    }
    if platform is not None:
        described["platform"] = dict(platform)
    return described


def manifest_of(config: bytes, layers: Sequence[PushedLayer], *, docker: bool = False) -> bytes:
    """Make the manifest of an image."""
    return json_bytes(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": descriptor_of(config, DOCKER_CONFIG if docker else OCI_CONFIG),
            "layers": [
                descriptor_of(layer.blob, DOCKER_LAYER_GZIP if docker else layer.media_type)
                for layer in layers
            ],
        }
    )


def json_bytes(document: Mapping[str, object]) -> bytes:
    """Write JSON as registries store it."""
    return json.dumps(document, indent=2).encode()
