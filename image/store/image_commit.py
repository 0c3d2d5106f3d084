"""What a finished pull hands to the store: one value, registered in one transaction.

Pure data. The bytes are checked against their digests by the store, not believed.
"""

from dataclasses import dataclass, field

from image.model.records import LayerRecord
from image.model.reference import Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageCommit:
    """One image with the name it was pulled by; its layers are published already."""

    reference: Reference
    """What was asked for; with a tag the tag is recorded too."""
    target_digest: str
    """What the reference resolved to, index or manifest: the digest that `repo_digests` shows."""
    manifest_digest: str
    manifest: bytes = field(repr=False)
    config_digest: str
    """The image's id."""
    config: bytes = field(repr=False)
    layers: tuple[LayerRecord, ...]
    """Bottom first."""
    is_named_by_digest: bool = True
    """Whether `target_digest` becomes a name; not of a manifest that no registry has."""
    source: str = ""
    """The endpoint that served the manifest; empty when it was not pulled."""
    config_source: str = ""
    """The endpoint that served the config; empty when it was here already."""
