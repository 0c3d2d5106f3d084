"""Manifests and indexes: one reading of the bytes, or a refusal.

Pure. The header, the `mediaType` field and the shape of the document must agree; a document that could be read both
as an image and as an index is refused whatever it is served as (CVE-2021-41190, security rule B1).
"""

from dataclasses import dataclass

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor, read_descriptor
from image.model.json_document import JsonObject, parse_json_object
from image.model.media_types import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    DOCKER_SCHEMA1,
    OCI_INDEX,
    OCI_MANIFEST,
    ManifestKind,
    bare_media_type,
    is_generic,
    manifest_kind,
)
from image.model.schema1 import Schema1Manifest, canonical_payload, read_schema1

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""What the distribution-spec asks registries to accept at least ("Pushing Manifests")."""
MAX_LAYERS = 500
"""The kernel stacks at most 500 directories in one overlay (OVL_MAX_STACK)."""

_DOCKER_TYPES = {ManifestKind.MANIFEST: DOCKER_MANIFEST, ManifestKind.INDEX: DOCKER_MANIFEST_LIST}
_OCI_TYPES = {ManifestKind.MANIFEST: OCI_MANIFEST, ManifestKind.INDEX: OCI_INDEX}
_KNOWN_KEYS = frozenset(
    {
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "fsLayers",
        "history",
        "signatures",
        "annotations",
        "artifactType",
        "subject",
    }
)
_KNOWN_FOLDED = frozenset(key.lower() for key in _KNOWN_KEYS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One image: its config and its layers, bottom first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Several manifests, usually one per platform."""

    manifests: tuple[Descriptor, ...]
    media_type: str
    annotations: tuple[tuple[str, str], ...] = ()


def parse_manifest(
    raw: bytes, content_type: str = "", *, subject: str, require_schema2: bool = False
) -> Manifest | Index | Schema1Manifest:
    """Read a manifest of any supported kind; its digest must have been checked before.

    Args:
        raw: the bytes as received.
        content_type: the response header, or the media type of the descriptor that named it.
        subject: how errors name the document.
        require_schema2: refuse schema 1.

    Raises:
        FailedPrecondition: not a manifest, ambiguous, beyond a limit, or schema 1 where that is refused.
    """
    document = parse_json_object(raw, subject=subject, max_bytes=MAX_MANIFEST_BYTES)
    header = bare_media_type(content_type)
    _check_keys(document)
    kind = _agreed_kind(document, header)
    if kind is ManifestKind.SCHEMA1:
        if require_schema2:
            raise _not_schema2(subject)
        return _read_old(raw, header, subject)
    if document.integer("schemaVersion") != 2:
        raise _refused(subject, "has a schemaVersion other than 2")
    media_type = document.text("mediaType", default="") or _specific(header)
    if kind is ManifestKind.INDEX:
        return _read_index(document, media_type)
    return _read_manifest(document, media_type)


def _read_manifest(document: JsonObject, media_type: str) -> Manifest:
    config = document.child("config")
    if config is None:
        raise _refused(document.subject, "has no `config`")
    layers = document.children("layers")
    if len(layers) > MAX_LAYERS:
        raise _refused(document.subject, f"has more than {MAX_LAYERS} layers")
    found = read_descriptor(config)
    return Manifest(
        config=found,
        layers=tuple(read_descriptor(layer) for layer in layers),
        media_type=media_type or _guessed_type(ManifestKind.MANIFEST, found.media_type),
        annotations=document.text_map("annotations"),
        artifact_type=document.text("artifactType", default=""),
    )


def _read_index(document: JsonObject, media_type: str) -> Index:
    entries = tuple(read_descriptor(entry) for entry in document.children("manifests"))
    first_type = entries[0].media_type if entries else ""
    return Index(
        manifests=entries,
        media_type=media_type or _guessed_type(ManifestKind.INDEX, first_type),
        annotations=document.text_map("annotations"),
    )


def _agreed_kind(document: JsonObject, header: str) -> ManifestKind:
    """Ask header, `mediaType` and shape, and accept only one opinion."""
    stated = document.text("mediaType", default="")
    declared = [name for name in (_specific(header), stated) if name]
    for name in declared:
        if manifest_kind(name) is None:
            raise FailedPrecondition(
                document.subject,
                f"unsupported manifest format {name[:200]!r}",
                remedy="pull an image of docker schema 2 or OCI form",
                reason="UnsupportedManifest",
            )
    shape = _shape(document)
    for name in declared:
        if manifest_kind(name) is not shape:
            raise _refused(
                document.subject, f"is declared as {name} but has the shape of a {shape.value}"
            )
    if len(set(declared)) > 1 and shape is not ManifestKind.SCHEMA1:
        raise _refused(document.subject, f"is served as {declared[0]} but calls itself {stated}")
    return shape


def _shape(document: JsonObject) -> ManifestKind:
    """Tell the kind by the members that only one kind may have."""
    is_index = document.has("manifests")
    is_schema1 = document.has("fsLayers")
    is_manifest = document.has("layers") or document.has("config")
    if is_index + is_schema1 + is_manifest > 1:
        raise _refused(document.subject, "can be read both as an image and as an index")
    if is_index:
        return ManifestKind.INDEX
    if is_schema1:
        return ManifestKind.SCHEMA1
    if is_manifest:
        return ManifestKind.MANIFEST
    raise FailedPrecondition(
        document.subject,
        "unsupported manifest format: neither `config` nor `manifests`",
        reason="UnsupportedManifest",
    )


def _check_keys(document: JsonObject) -> None:
    """Refuse `Layers` for `layers`: readers in Go ignore letter case, others do not (rule B1)."""
    for key in document.fields:
        if key not in _KNOWN_KEYS and key.lower() in _KNOWN_FOLDED:
            raise _refused(document.subject, f"has the key {key!r} in unusual letter case")


def _specific(header: str) -> str:
    return "" if is_generic(header) else header


def _guessed_type(kind: ManifestKind, inner: str) -> str:
    """Name the family by the types inside, for documents without `mediaType` (OCI: optional)."""
    return (_DOCKER_TYPES if inner.startswith("application/vnd.docker.") else _OCI_TYPES)[kind]


def _read_old(raw: bytes, header: str, subject: str) -> Schema1Manifest:
    """Read the payload of a schema 1 manifest, which must be of that kind itself."""
    payload = canonical_payload(raw, subject=subject)
    document = parse_json_object(payload, subject=subject, max_bytes=MAX_MANIFEST_BYTES)
    _check_keys(document)
    if _shape(document) is not ManifestKind.SCHEMA1:
        raise _refused(subject, "holds another kind of manifest under its signatures")
    return read_schema1(payload, _specific(header) or DOCKER_SCHEMA1, subject=subject)


def _not_schema2(subject: str) -> FailedPrecondition:
    return FailedPrecondition(
        subject,
        "invalid manifest: not schema2",
        remedy="push the image again with a current tool, or unset require_schema2",
        reason="NotSchema2",
    )


def _refused(subject: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(subject, cause, reason="InvalidManifest")
