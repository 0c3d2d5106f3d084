"""Sigstore bundles, the form in which cosign 3 signs images: an in-toto statement in a DSSE envelope.

Pure. A statement names digests and nothing else: no repository, unlike the older form. Only statements that say "this
image is signed" count; attestations about an image, signed by the same key, do not.
"""

import base64
import binascii

from image.errors import FailedPrecondition, ImageError
from image.model.digest import Digest, digest_algorithm, digest_hex
from image.model.json_document import parse_json_object
from image.policy.signature_payload import SignedPayload

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle"
"""Beginning of the media type of a bundle, and of the artifact type of the manifest that holds it."""
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
"""Annotation of that manifest with the kind of its statement."""
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
MAX_BUNDLE_BYTES = 256 * 1024
"""Bundles of the field have 2 to 12 KiB."""

_ENVELOPE_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_MAX_SIGNATURES = 8


def read_bundle(raw: bytes) -> tuple[SignedPayload, ...]:
    """Give the signatures of a bundle, none when it is not of a form that can be checked with a key."""
    try:
        bundle = parse_json_object(raw, subject="bundle", max_bytes=MAX_BUNDLE_BYTES)
        envelope = bundle.child("dsseEnvelope")
        if envelope is None or envelope.text("payloadType") != _ENVELOPE_TYPE:
            return ()
        payload = _decoded(envelope.text("payload"))
        return tuple(
            SignedPayload(
                payload=payload, signature=_decoded(one.text("sig")), envelope=_ENVELOPE_TYPE
            )
            for one in envelope.children("signatures")[:_MAX_SIGNATURES]
        )
    except ImageError:
        return ()


def statement_fault(payload: bytes, *, digest: Digest) -> str:
    """Say why a statement whose signature is right does not speak for an image, or nothing when it does."""
    try:
        statement = parse_json_object(payload, subject="statement", max_bytes=MAX_BUNDLE_BYTES)
        if (
            statement.text("_type") not in _STATEMENT_TYPES
            or statement.text("predicateType") != SIGN_PREDICATE
        ):
            return "is not a signature of a container image"
        named = [dict(one.text_map("digest")) for one in statement.children("subject")]
    except ImageError:
        return "cannot be read"
    algorithm = digest_algorithm(digest)
    if not any(one.get(algorithm) == digest_hex(digest) for one in named):
        shown = ", ".join(f"{algorithm}:{one.get(algorithm, '')[:128]}" for one in named[:4])
        return f"was made for {shown or 'nothing'}"
    return ""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FailedPrecondition("bundle", "is not base64") from error
