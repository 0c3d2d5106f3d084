"""Write images as an OCI layout in one tar, out of what the store keeps.

Blobs as the registry had them are gone after unpacking, so layers go out as plain tars: their digests are the diff ids
that the config names, the config and so the image's id stay the same, and only the manifest is new. Reads the store;
changes nothing, and holds one piece in memory.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.errors import FailedPrecondition
from image.model.digest import digest_hex, parse_digest, sha256_digest
from image.model.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from image.model.records import ImageRecord
from image.store.disk_report import DiskReport
from image.store.indexed_layer import KIND, TAR
from image.store.tar_writer import END, file_header, padding, whole_member

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportPlan:
    """What goes into one archive."""

    documents: tuple[tuple[str, bytes], ...]
    """Small members by name, in order."""
    layers: tuple[tuple[str, Path], ...]
    """Members that are files of the store, by name."""


def plan_export(
    root: Path, images: Sequence[tuple[ImageRecord, bytes, tuple[str, ...]]], report: DiskReport
) -> ExportPlan:
    """Plan an archive of images, each with its config and the names it is to have.

    Raises:
        FailedPrecondition: a layer is not kept as a tar.
    """
    documents: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    layers: dict[str, Path] = {}
    index = []
    for record, config, names in images:
        entries = []
        for layer in record.layers:
            place = _tar_of(root, record, layer.chain_id, report)
            layers[_blob(layer.diff_id)] = place
            size = place.stat().st_size
            entries.append({"mediaType": OCI_LAYER, "digest": layer.diff_id, "size": size})
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "digest": record.id, "size": len(config)},
                "layers": entries,
            }
        )
        documents[_blob(record.id)] = config
        documents[_blob(sha256_digest(manifest))] = manifest
        index += [_entry(manifest, name) for name in names or ("",)]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}
    documents["index.json"] = _json(document)
    return ExportPlan(documents=tuple(documents.items()), layers=tuple(layers.items()))


def archive_pieces(plan: ExportPlan) -> Iterator[bytes]:
    """Yield the archive in pieces, none of them empty; blocks on the disk.

    Raises:
        FailedPrecondition: a layer changed its size meanwhile.
    """
    for name, content in plan.documents:
        yield whole_member(name, content)
    for name, path in plan.layers:
        with path.open("rb") as stream:
            size = path.stat().st_size
            yield file_header(name, size)
            left = size
            while piece := stream.read(min(_CHUNK, left)):
                left -= len(piece)
                yield piece
            if left:
                raise FailedPrecondition(name, "became shorter while it was exported")
            if fill := padding(size):
                yield fill
    yield END


def _tar_of(root: Path, record: ImageRecord, chain_id: str, report: DiskReport) -> Path:
    kept = report.layers.get(chain_id)
    if kept is None or kept.kind != KIND:
        raise FailedPrecondition(
            f"image {(record.repo_tags or record.repo_digests or (record.id,))[0]}",
            "has layers that were extracted, so their tars are gone",
            remedy="copy it from its registry, for example with skopeo",
            reason="LayersExtracted",
        )
    return root / "layers" / digest_hex(parse_digest(chain_id)) / TAR


def _entry(manifest: bytes, name: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "mediaType": OCI_MANIFEST,
        "digest": sha256_digest(manifest),
        "size": len(manifest),
    }
    if name:
        tag = name.rpartition(":")[2]
        keys = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
        entry["annotations"] = keys
    return entry


def _blob(digest: str) -> str:
    known = parse_digest(digest)
    return f"blobs/{known.partition(':')[0]}/{digest_hex(known)}"


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
