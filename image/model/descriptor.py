"""Descriptors: what a manifest says about a piece of content before it is fetched (image-spec, descriptor.md).

Pure. A descriptor is a promise of the registry; its size and digest are enforced by whoever reads the content.
"""

from dataclasses import dataclass

from image.errors import FailedPrecondition, InvalidArgument
from image.model.digest import Digest, parse_digest
from image.model.json_document import JsonObject
from image.model.platform import Platform

MAX_SIZE = 2**63 - 1
"""Sizes are int64 in the specification; more is refused before any arithmetic."""
UNKNOWN_SIZE = -1
"""Size of a blob of a schema 1 manifest, which tells none; no document can say this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """Kind, identity and size of one blob or manifest."""

    media_type: str
    digest: Digest
    size: int
    """Bytes, exactly; a download that differs is refused. `UNKNOWN_SIZE` when nobody said."""
    urls: tuple[str, ...] = ()
    """Where foreign content may be fetched without credentials."""
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    """Shown, never obeyed (security rule B5)."""
    artifact_type: str = ""
    """What a manifest that is listed as a referrer is for."""


def read_descriptor(document: JsonObject) -> Descriptor:
    """Type-check one descriptor object.

    Raises:
        FailedPrecondition: a field is missing or has the wrong type, a bad digest or an impossible size.
    """
    size = document.integer("size")
    if not 0 <= size <= MAX_SIZE:
        raise FailedPrecondition(
            document.subject, f"has the impossible size {size}", reason="InvalidDescriptor"
        )
    platform = document.child("platform")
    return Descriptor(
        media_type=document.text("mediaType", default=""),
        digest=read_digest(document, "digest"),
        size=size,
        urls=document.texts("urls"),
        platform=None if platform is None else read_platform(platform),
        annotations=document.text_map("annotations"),
        artifact_type=document.text("artifactType", default=""),
    )


def read_digest(document: JsonObject, key: str) -> Digest:
    """Read the digest under `key`.

    Raises:
        FailedPrecondition: it is missing or not a digest (security rule B2).
    """
    try:
        return parse_digest(document.text(key))
    except InvalidArgument as error:
        raise FailedPrecondition(
            document.subject, f"{error.subject} {error.cause}", reason="InvalidDigest"
        ) from error


def read_platform(document: JsonObject) -> Platform:
    """Read a platform object as it is written; aliases are resolved when it is compared."""
    return Platform(
        os=document.text("os", default=""),
        architecture=document.text("architecture", default=""),
        variant=document.text("variant", default=""),
        os_version=document.text("os.version", default=""),
        os_features=document.texts("os.features"),
    )
