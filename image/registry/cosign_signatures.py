"""Fetches the signatures that cosign keeps in a repository, under a tag that names the signed digest.

Verifies digests of what it fetches, as everywhere; whether a signature is right is for `image.policy` to say.
"""

import base64
import binascii

from image.errors import ImageError, InvalidArgument
from image.model.descriptor import Descriptor
from image.model.digest import Digest
from image.model.manifest import Manifest, parse_manifest
from image.model.records import RegistryAuth
from image.model.reference import Reference
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


async def fetch_signatures(
    client: RegistryClient, reference: Reference, digest: Digest, *, auth: RegistryAuth | None
) -> tuple[SignedPayload, ...]:
    """Give the signatures of `digest` in the repository of `reference`, none when it has none.

    Raises:
        Unavailable: the registry did not answer properly.
        ImageError: as `RegistryClient.resolve`.
    """
    try:
        place = reference.with_tag(signature_tag(digest))
    except InvalidArgument:
        return ()  # a sha512 digest is longer than a tag may be, so cosign cannot have signed it
    found = await client.fetch_manifest(place, auth=auth)
    if found is None:
        return ()
    try:
        manifest = parse_manifest(found[1], subject=str(place))
    except ImageError:
        return ()
    if not isinstance(manifest, Manifest):
        return ()
    payloads = []
    for layer in manifest.layers[:_MAX_SIGNATURES]:
        signature = _signature_of(layer)
        if signature is not None:
            payload = await client.fetch_blob(place, layer, auth=auth)
            payloads.append(SignedPayload(payload=payload, signature=signature))
    return tuple(payloads)


def _signature_of(layer: Descriptor) -> bytes | None:
    if layer.media_type != SIMPLE_SIGNING or not 0 <= layer.size <= MAX_PAYLOAD_BYTES:
        return None
    try:
        text = dict(layer.annotations).get(SIGNATURE_ANNOTATION, "")
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
