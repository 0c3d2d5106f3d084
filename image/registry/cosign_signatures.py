"""Fetches the signatures that cosign keeps in a repository: under a tag that names the signed digest, or as referrers.

Verifies digests of what it fetches, as everywhere; whether a signature is right is for `image.policy` to say. cosign 2
writes the tag, cosign 3 a referrer; registries without the referrers API keep that list under a tag, too.
"""

import base64
import binascii

from image.errors import ImageError, InvalidArgument
from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.manifest import Index, Manifest, parse_manifest
from image.model.records import RegistryAuth
from image.model.reference import Reference
from image.policy.signature_bundle import (
    BUNDLE_TYPE,
    MAX_BUNDLE_BYTES,
    PREDICATE_ANNOTATION,
    SIGN_PREDICATE,
    read_bundle,
)
from image.policy.signature_payload import (
    MAX_PAYLOAD_BYTES,
    SIGNATURE_ANNOTATION,
    SIMPLE_SIGNING,
    SignedPayload,
    signature_tag,
)
from image.registry.client import RegistryClient

_MAX_SIGNATURES = 32
"""Signatures of one digest that are looked at; each costs a request."""
_SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
"""Artifact type of the older form as a referrer, which cosign 2 wrote on demand."""


async def fetch_signatures(
    client: RegistryClient, reference: Reference, digest: Digest, *, auth: RegistryAuth | None
) -> tuple[SignedPayload, ...]:
    """Give the signatures of `digest` under its tag in the repository of `reference`, none when it has none.

    Raises:
        Unavailable: the registry did not answer properly.
        ImageError: as `RegistryClient.resolve`.
    """
    try:
        place = reference.with_tag(signature_tag(digest))
    except InvalidArgument:
        return ()  # a sha512 digest is longer than a tag may be, so cosign cannot have signed it
    return await _signatures_at(client, place, auth)


async def fetch_referring_signatures(
    client: RegistryClient, reference: Reference, digest: Digest, *, auth: RegistryAuth | None
) -> tuple[SignedPayload, ...]:
    """Give the signatures that refer to `digest` in the repository of `reference`, none when it has none.

    Raises:
        Unavailable: the registry did not answer properly.
        ImageError: as `RegistryClient.resolve`.
    """
    listed = await client.list_referrers(reference, digest, auth=auth)
    if listed is None:
        listed = await _listed_by_tag(client, reference, digest, auth)
    found: list[SignedPayload] = []
    for entry in [one for one in listed if _may_be_signature(one)][:_MAX_SIGNATURES]:
        found += await _signatures_at(client, reference.with_digest(entry.digest), auth)
    return tuple(found[:_MAX_SIGNATURES])


async def _listed_by_tag(
    client: RegistryClient, reference: Reference, digest: Digest, auth: RegistryAuth | None
) -> tuple[Descriptor, ...]:
    """Read the list where clients keep it for registries without the API (distribution-spec, "Referrers Tag Schema")."""
    place = reference.with_tag(digest.replace(":", "-")[:128])
    found = await client.fetch_manifest(place, auth=auth)
    if found is None:
        return ()
    try:
        index = parse_manifest(found[1], subject=str(place))
    except ImageError:
        return ()
    return index.manifests if isinstance(index, Index) else ()


def _may_be_signature(entry: Descriptor) -> bool:
    if entry.artifact_type == _SIGNATURE_ARTIFACT:
        return True
    predicate = dict(entry.annotations).get(PREDICATE_ANNOTATION, SIGN_PREDICATE)
    return entry.artifact_type.startswith(BUNDLE_TYPE) and predicate == SIGN_PREDICATE


async def _signatures_at(
    client: RegistryClient, place: Reference, auth: RegistryAuth | None
) -> tuple[SignedPayload, ...]:
    """Read the signatures of one manifest; whatever else it holds is left out."""
    found = await client.fetch_manifest(place, auth=auth)
    if found is None:
        return ()
    try:
        manifest = parse_manifest(found[1], subject=str(place))
    except ImageError:
        return ()
    if not isinstance(manifest, Manifest):
        return ()
    signed: list[SignedPayload] = []
    for layer in manifest.layers[:_MAX_SIGNATURES]:
        signature = _signature_of(layer)
        if signature is not None:
            payload = await client.fetch_blob(place, layer, auth=auth)
            signed.append(SignedPayload(payload=payload, signature=signature))
        elif layer.media_type.startswith(BUNDLE_TYPE) and layer.size <= MAX_BUNDLE_BYTES:
            signed += read_bundle(await client.fetch_blob(place, layer, auth=auth))
    return tuple(signed)


def _signature_of(layer: Descriptor) -> bytes | None:
    if layer.media_type != SIMPLE_SIGNING or not 0 <= layer.size <= MAX_PAYLOAD_BYTES:
        return None
    try:
        text = dict(layer.annotations).get(SIGNATURE_ANNOTATION, "")
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
