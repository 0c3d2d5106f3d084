"""Finds the images of an archive: one per platform whose blobs are there, the wanted platform first.

Hostile input, read in the worker alone. What an index says of platforms decides only what is looked at; digests decide
what it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor
from image.model.digest import Digest, matches_digest, sha256_digest
from image.model.image_config import MAX_CONFIG_BYTES
from image.model.manifest import MAX_MANIFEST_BYTES, Index, Manifest, parse_manifest
from image.model.media_types import manifest_kind
from image.model.platform import Platform, match_platform, same_machine
from image.store.image_archive import ArchiveEntry, ImageArchive

MAX_INDEX_DEPTH = 3
_SYSTEM = "linux"


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedImage:
    """One image of one platform."""

    id: str
    """The digest of its config."""
    target: str = ""
    """The digest by which it may be known; empty when no registry has its manifest."""
    manifest: str = ""
    """Of a further platform: its manifest, by which it is imported."""
    platform: str = ""
    """Of a further platform: `linux/arm64`."""


def images_of(
    archive: ImageArchive, entry: ArchiveEntry, wanted: Platform, *, all_platforms: bool
) -> tuple[ArchivedImage, ...]:
    """List the image of the wanted platform, and if asked those of the others that are complete.

    Raises:
        FailedPrecondition: it is damaged, or no image that can be used.
        NotFound: it has no image for the wanted platform.
    """
    if entry.descriptor is None:
        return (ArchivedImage(id=sha256_digest(archive.read(entry.config, MAX_CONFIG_BYTES))),)
    target = entry.descriptor
    document = read_document(archive, target)
    if isinstance(document, Manifest):
        known = "" if entry.is_remade else target.digest
        return (ArchivedImage(id=document.config.digest, target=known),)
    leaves = list(_leaves(archive, document, MAX_INDEX_DEPTH))
    first = match_platform(wanted, [leaf for leaf, _ in leaves])[0]
    by_digest = {leaf.digest: manifest for leaf, manifest in leaves}
    found = [ArchivedImage(id=by_digest[first.digest].config.digest, target=target.digest)]
    for leaf, manifest in leaves if all_platforms else ():
        if leaf.digest != first.digest and _is_further(archive, leaf, manifest, wanted):
            found.append(_further(leaf, manifest))
    return tuple({one.id: one for one in reversed(found)}.values())[::-1]


def choose_leaf(
    archive: ImageArchive, target: Descriptor, wanted: Platform, digest: Digest | None
) -> tuple[Descriptor, Manifest]:
    """Find the manifest of a platform, or the one that has a digest.

    Raises:
        FailedPrecondition: it is not there.
        NotFound: there is none for the platform.
    """
    document = read_document(archive, target)
    if isinstance(document, Manifest):
        return target, document
    leaves = dict(_leaves(archive, document, MAX_INDEX_DEPTH))
    if digest is None:
        chosen = match_platform(wanted, leaves)[0]
        return chosen, leaves[chosen]
    for leaf, manifest in leaves.items():
        if leaf.digest == digest:
            return leaf, manifest
    raise FailedPrecondition("image archive", f"has no manifest {digest}", reason="InvalidArchive")


def read_document(archive: ImageArchive, descriptor: Descriptor) -> Manifest | Index:
    """Read a manifest or an index, verified.

    Raises:
        FailedPrecondition: it is not there, damaged, or something else.
    """
    raw = read_verified(archive, descriptor.digest)
    document = parse_manifest(raw, descriptor.media_type, subject="image archive")
    if isinstance(document, Manifest | Index):
        return document
    raise FailedPrecondition(
        "image archive", "has a manifest that cannot be used", reason="InvalidArchive"
    )


def read_verified(
    archive: ImageArchive, digest: Digest, limit: int = MAX_MANIFEST_BYTES, name: str = ""
) -> bytes:
    """Read a small blob and hold it against its digest; `name` is its member, if that is another.

    Raises:
        FailedPrecondition: it is not there, too large, or has another digest.
    """
    content = archive.read(name or archive.blob(digest), limit)
    if not matches_digest(content, digest):
        raise damaged(digest)
    return content


def damaged(digest: Digest) -> FailedPrecondition:
    """Return the error for content that is not what its name says."""
    return FailedPrecondition(
        f"image archive, {digest}",
        "has content of another digest",
        remedy="make the archive again",
        reason="DigestMismatch",
    )


def _leaves(
    archive: ImageArchive, index: Index, depth: int
) -> Iterator[tuple[Descriptor, Manifest]]:
    """Yield the manifests that are here; an archive of one platform often has the index of all."""
    for entry in index.manifests:
        if not manifest_kind(entry.media_type) or not archive.has(entry.digest):
            continue
        document = read_document(archive, entry)
        if isinstance(document, Manifest):
            yield entry, document
        elif depth > 1:
            yield from _leaves(archive, document, depth - 1)


def _further(leaf: Descriptor, manifest: Manifest) -> ArchivedImage:
    assert leaf.platform is not None  # looked at before
    parts = (leaf.platform.os, leaf.platform.architecture, leaf.platform.variant)
    return ArchivedImage(
        id=manifest.config.digest,
        target=leaf.digest,
        manifest=leaf.digest,
        platform="/".join(part for part in parts if part),
    )


def _is_further(
    archive: ImageArchive, leaf: Descriptor, manifest: Manifest, wanted: Platform
) -> bool:
    """Tell whether a manifest is an image for another machine, with all its blobs; attestations are none."""
    platform = leaf.platform
    if platform is None or platform.os != _SYSTEM or same_machine(wanted, platform):
        return False
    return all(archive.has(blob.digest) for blob in (manifest.config, *manifest.layers))
