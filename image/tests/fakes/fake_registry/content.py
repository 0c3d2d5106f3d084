"""Makes the content of test images: layers, configs, manifests and indexes, byte for byte the same each time."""

import base64
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


def manifest_of(
    config: bytes, layers: Sequence[PushedLayer], *, docker: bool = False, config_type: str = ""
) -> bytes:
    """Make the manifest of an image."""
    usual = DOCKER_CONFIG if docker else OCI_CONFIG
    return json_bytes(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": descriptor_of(config, config_type or usual),
            "layers": [
                descriptor_of(layer.blob, DOCKER_LAYER_GZIP if docker else layer.media_type)
                for layer in layers
            ],
        }
    )


def json_bytes(document: Mapping[str, object]) -> bytes:
    """Write JSON as registries store it."""
    return json.dumps(document, indent=2).encode()


def schema1_of(layers: Sequence[PushedLayer], *, signed: bool = False) -> tuple[bytes, Digest]:
    """Make a schema 1 manifest as served, and the digest of its payload; `layers` come bottom first."""
    entries: list[dict[str, object]] = []
    for position in range(len(layers)):
        entry: dict[str, object] = {"id": f"{position + 1:064x}", "created": "2015-01-01T00:00:00Z"}
        if position:
            entry["parent"] = f"{position:064x}"
        entries.append(entry)
    entries[-1] |= {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/sh"]}}
    payload = json_bytes(
        {
            "schemaVersion": 1,
            "name": "team/app",
            "tag": "v1",
            "fsLayers": [{"blobSum": layer.digest} for layer in reversed(layers)],
            "history": [{"v1Compatibility": json.dumps(entry)} for entry in reversed(entries)],
        }
    )
    if not signed:
        return payload, sha256_digest(payload)
    tail = base64.urlsafe_b64encode(payload[-2:]).decode().rstrip("=")
    protected = json.dumps({"formatLength": len(payload) - 2, "formatTail": tail}).encode()
    signature = {"protected": base64.urlsafe_b64encode(protected).decode().rstrip("=")}
    raw = payload[:-2] + b',"signatures":' + json.dumps([signature]).encode() + b"}"
    return raw, sha256_digest(payload)
