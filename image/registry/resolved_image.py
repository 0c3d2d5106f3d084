"""What a reference turned out to be: the value that the rest of a pull works from."""

from dataclasses import dataclass, field

from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.manifest import Manifest
from image.model.platform import Platform
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.model.schema1 import Schema1Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedImage:
    """One image of one platform, its manifest verified."""

    reference: Reference
    """What was asked for."""
    target_digest: Digest
    """What the reference resolved to, an index or a manifest; the one for `repo_digests`."""
    manifest_digest: Digest
    """The manifest of the platform; equal to `target_digest` when there is no index."""
    manifest_bytes: bytes = field(repr=False)
    """Exactly the bytes that have `manifest_digest`; of schema 1 the payload without signatures."""
    manifest: Manifest
    config: Descriptor
    layers: tuple[Descriptor, ...]
    """Bottom first."""
    endpoint_url: str
    """The endpoint that answered, without user and query."""
    platform: Platform | None = None
    """What an index says the image is for; None when there is no index, or it does not say."""
    has_registry_digest: bool = True
    """Whether `target_digest` is one by which others know the image; not of a manifest that was made here."""
    schema1: Schema1Manifest | None = None
    """The old form that was found; `config` is then no blob, and the layers' sizes are unknown."""
    auth: RegistryAuth | None = field(default=None, repr=False, compare=False)
    """Credentials for the downloads that follow; never printed, stored or sent to a mirror."""
