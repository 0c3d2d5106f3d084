"""Write images as one tar that is an OCI layout and a docker archive at once; both name the same blobs.

Layers go out as the store has them: plain tars whose digests are the diff ids of the config, so the image's id stays
and only the manifest is new. Layers that were extracted are written as tars again, which changes the diff ids and so
the id. Originals that were fetched from the registry go out under the registry's own manifest. Every blob is held
against its digest while it is written. Reads; changes nothing, and holds a few pieces in memory.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.errors import FailedPrecondition
from image.model.digest import digest_algorithm, digest_hex, parse_digest, sha256_digest
from image.model.image_config import ImageConfig
from image.model.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from image.store.tar_writer import END, file_header, padding, whole_member

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
REMADE = "io.lading.remade"
"""Annotation of manifests that no registry has; an import takes no digest from them as a name."""

_CHUNK = 1 << 20

Pieces = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerBlob:
    """One layer as it goes out."""

    digest: str
    size: int
    pieces: Pieces
    """Gives exactly the bytes that have the digest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportImage:
    """One image as it goes out."""

    names: tuple[str, ...]
    """References that it is to have."""
    config: bytes
    parsed: ImageConfig
    layers: tuple[LayerBlob, ...]
    """Bottom first."""
    manifest: bytes = b""
    """The registry's own; empty to make one."""
    media_type: str = OCI_MANIFEST


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportPlan:
    """What goes into one archive."""

    documents: tuple[tuple[str, bytes], ...]
    """Small members by name, in order."""
    layers: tuple[LayerBlob, ...]


def plan_export(images: Sequence[ExportImage]) -> ExportPlan:
    """Plan an archive; each blob is written once, however many images have it."""
    documents: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    layers: dict[str, LayerBlob] = {}
    index: list[dict[str, object]] = []
    archive: list[dict[str, object]] = []
    for image in images:
        config = _config_for(image)
        manifest = image.manifest or _made_manifest(config, image.layers)
        documents[_blob(sha256_digest(config))] = config
        documents[_blob(sha256_digest(manifest))] = manifest
        layers |= {layer.digest: layer for layer in image.layers}
        index += [_entry(image, manifest, name) for name in image.names or ("",)]
        archive.append(_docker_entry(image, config))
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}
    documents["index.json"] = _json(document)
    documents["manifest.json"] = _json(archive)
    return ExportPlan(documents=tuple(documents.items()), layers=tuple(layers.values()))


def archive_pieces(plan: ExportPlan) -> Iterator[bytes]:
    """Yield the archive in pieces of about a megabyte, none of them empty; blocks on the disk.

    Raises:
        FailedPrecondition: a layer does not have its digest; what was written by then is no archive.
        OSError: a layer cannot be read.
    """
    return batched(_archive(plan))


def batched(pieces: Iterator[bytes], size: int = _CHUNK) -> Iterator[bytes]:
    """Join small pieces until they have a size."""
    batch = bytearray()
    for piece in pieces:
        batch += piece
        if len(batch) >= size:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


def file_pieces(path: Path, length: int | None = None) -> Pieces:
    """Give the bytes of a file, or the first `length` of them."""

    def read() -> Iterator[bytes]:
        left = path.stat().st_size if length is None else length
        with path.open("rb") as stream:
            while left and (piece := stream.read(min(left, _CHUNK))):
                left -= len(piece)
                yield piece

    return read


def _archive(plan: ExportPlan) -> Iterator[bytes]:
    for name, content in plan.documents:
        yield whole_member(name, content)
    for layer in plan.layers:
        known = parse_digest(layer.digest)
        found, size = hashlib.new(digest_algorithm(known)), 0
        yield file_header(_blob(layer.digest), layer.size)
        for piece in layer.pieces():
            found.update(piece)
            size += len(piece)
            yield piece
        if size != layer.size or found.hexdigest() != digest_hex(known):
            raise FailedPrecondition(
                f"layer {layer.digest}",
                "does not have its digest any more, so the archive is not complete",
                remedy="lading image fsck --repair",
                reason="LayerDamaged",
            )
        yield padding(size)
    yield END


def _config_for(image: ExportImage) -> bytes:
    """Return the config, with other diff ids where layers were written anew."""
    diff_ids = [layer.digest for layer in image.layers]
    if image.manifest or diff_ids == list(image.parsed.diff_ids):
        return image.config
    document = json.loads(image.config)
    document["rootfs"]["diff_ids"] = diff_ids
    return _json(document)


def _made_manifest(config: bytes, layers: Sequence[LayerBlob]) -> bytes:
    entries = [
        {"mediaType": OCI_LAYER, "digest": layer.digest, "size": layer.size} for layer in layers
    ]
    described = {"mediaType": OCI_CONFIG, "digest": sha256_digest(config), "size": len(config)}
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described,
            "layers": entries,
        }
    )


def _entry(image: ExportImage, manifest: bytes, name: str) -> dict[str, object]:
    platform = {"architecture": image.parsed.architecture, "os": image.parsed.os}
    if image.parsed.variant:
        platform["variant"] = image.parsed.variant
    annotations = {} if image.manifest else {REMADE: "true"}
    if name:
        annotations["io.containerd.image.name"] = name
    if name and "@" not in name:
        annotations["org.opencontainers.image.ref.name"] = name.rpartition(":")[2]
    return {
        "mediaType": image.media_type,
        "digest": sha256_digest(manifest),
        "size": len(manifest),
        "platform": platform,
        **({"annotations": annotations} if annotations else {}),
    }


def _docker_entry(image: ExportImage, config: bytes) -> dict[str, object]:
    """Describe an image as `docker save` of version 25 and later does, by the same blobs."""
    return {
        "Config": _blob(sha256_digest(config)),
        "RepoTags": [name for name in image.names if "@" not in name],
        "Layers": [_blob(layer.digest) for layer in image.layers],
    }


def _blob(digest: str) -> str:
    known = parse_digest(digest)
    return f"blobs/{known.partition(':')[0]}/{digest_hex(known)}"


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
