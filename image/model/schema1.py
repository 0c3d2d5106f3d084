"""Docker schema 1: manifests of before 2016, whose layers and history are listed top first (pull rule 1.5, 1.8).

Pure. A signed manifest is a JSON web signature around a payload; the payload alone is hashed and read, so what was
checked is what is used. Its signatures prove nothing, because they carry their own keys, and are not looked at.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from image.errors import FailedPrecondition
from image.model.descriptor import read_digest
from image.model.digest import Digest
from image.model.json_document import JsonObject, parse_json_object

MAX_SCHEMA1_LAYERS = 500
"""As many as the kernel stacks in one overlay; dockerd made 127 at most."""

_ID = re.compile(r"[0-9a-f]{64}")
_MAX_PART = 4 * 1024 * 1024
# members of the old image JSON that describe a layer and have no place in a config
_LAYER_MEMBERS = frozenset({"id", "parent", "parent_id", "layer_id", "throwaway", "Size"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema1Manifest:
    """One image of the old form, bottom first, with repeated entries removed."""

    layers: tuple[Digest, ...]
    """Blobs of the entries that make a layer."""
    history: tuple[JsonObject, ...]
    """The old image JSON of every entry."""
    media_type: str
    payload: bytes
    """Exactly the bytes that the digest is of."""

    @property
    def os(self) -> str:
        """The first operating system that the history names from the top; empty when none does."""
        named = (entry.text("os", default="") for entry in reversed(self.history))
        return next((name for name in named if name), "")


def canonical_payload(raw: bytes, *, subject: str) -> bytes:
    """Give the bytes that a schema 1 manifest's digest is of: without its signatures, if it has any.

    Raises:
        FailedPrecondition: the signatures do not agree on one payload.
    """
    document = parse_json_object(raw, subject=subject, max_bytes=_MAX_PART)
    if not document.has("signatures"):
        return raw
    payloads = {_payload_of(raw, signature) for signature in document.children("signatures")}
    if len(payloads) != 1:
        raise _refused(subject, f"has {len(payloads)} payloads under its signatures")
    return payloads.pop()


def _payload_of(raw: bytes, signature: JsonObject) -> bytes:
    """Cut the payload out, as the protected header says: a length, and the bytes that closed it."""
    header = parse_json_object(
        _decode(signature, "protected"), subject=signature.subject, max_bytes=_MAX_PART
    )
    length = header.integer("formatLength")
    if not 0 <= length <= len(raw):
        raise _refused(signature.subject, f"has the impossible formatLength {length}")
    return raw[:length] + _decode(header, "formatTail")


def _decode(document: JsonObject, key: str) -> bytes:
    text = document.text(key)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(document.subject, f"has a `{key}` that is not base64url") from error


def read_schema1(payload: bytes, media_type: str, *, subject: str) -> Schema1Manifest:
    """Read the payload of a schema 1 manifest.

    Raises:
        FailedPrecondition: not of the form, or its chain of parents is broken.
    """
    document = parse_json_object(payload, subject=subject, max_bytes=_MAX_PART)
    if document.integer("schemaVersion") != 1:
        raise _refused(subject, "has a schemaVersion other than 1")
    blobs = [read_digest(entry, "blobSum") for entry in document.children("fsLayers")]
    entries = [_read_entry(entry) for entry in document.children("history")]
    if len(blobs) != len(entries):
        raise _refused(subject, f"has {len(blobs)} layers and {len(entries)} history entries")
    if not 0 < len(blobs) <= MAX_SCHEMA1_LAYERS:
        raise _refused(subject, f"has {len(blobs)} layers, not 1 to {MAX_SCHEMA1_LAYERS}")
    kept = _without_repeats(subject, list(zip(blobs, entries, strict=True)))
    _check_parents(subject, [entry for _, entry in kept])
    return Schema1Manifest(
        layers=tuple(blob for blob, entry in kept if not _is_throwaway(entry)),
        history=tuple(entry for _, entry in kept),
        media_type=media_type,
        payload=payload,
    )


def _read_entry(document: JsonObject) -> JsonObject:
    raw = document.text("v1Compatibility").encode()
    entry = parse_json_object(raw, subject=document.subject, max_bytes=_MAX_PART)
    if _ID.fullmatch(entry.text("id")) is None:
        raise _refused(entry.subject, f"has the impossible id {entry.text('id')[:80]!r}")
    return entry


def _without_repeats(
    subject: str, pairs: list[tuple[Digest, JsonObject]]
) -> list[tuple[Digest, JsonObject]]:
    """Turn the list bottom first; entries that repeat the id right below them are dropped."""
    kept: list[tuple[Digest, JsonObject]] = []
    seen: set[str] = set()
    for blob, entry in reversed(pairs):
        name = entry.text("id")
        if kept and kept[-1][1].text("id") == name:
            continue
        if name in seen:
            raise _refused(subject, f"ID {name} appears multiple times in manifest")
        seen.add(name)
        kept.append((blob, entry))
    return kept


def _check_parents(subject: str, entries: Sequence[JsonObject]) -> None:
    below = ""
    for entry in entries:
        parent = entry.text("parent", default="")
        if parent != below:
            said = parent[:80] or "none"
            raise _refused(subject, f"invalid parent ID: expected {below or 'none'}, got {said}")
        below = entry.text("id")


def _is_throwaway(entry: JsonObject) -> bool:
    return entry.fields.get("throwaway") is True


def schema1_config(manifest: Schema1Manifest, diff_ids: Sequence[str]) -> bytes:
    """Make the config of the image, equal on every node: its digest is the image's id.

    Args:
        manifest: the old form.
        diff_ids: digests of the unpacked layers, bottom first.
    """
    top = manifest.history[-1]
    config = {key: value for key, value in top.fields.items() if key not in _LAYER_MEMBERS}
    config["rootfs"] = {"type": "layers", "diff_ids": list(diff_ids)}
    config["history"] = [_history_entry(entry) for entry in manifest.history]
    return json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _history_entry(entry: JsonObject) -> dict[str, object]:
    made_by = entry.child("container_config")
    command = () if made_by is None else made_by.texts("Cmd")
    members: dict[str, object] = {
        "created": entry.text("created", default=""),
        "created_by": " ".join(command),
        "author": entry.text("author", default=""),
        "comment": entry.text("comment", default=""),
        "empty_layer": _is_throwaway(entry),
    }
    return {key: value for key, value in members.items() if value}


def _refused(subject: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(subject, cause, reason="InvalidManifest")
