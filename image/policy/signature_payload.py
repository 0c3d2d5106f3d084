"""What a cosign signature says: the simple signing document that was signed.

Pure. Names one digest and the repository that the signer meant; everything under `optional` is shown by other tools
and decides nothing here.
"""

from dataclasses import dataclass

from image.errors import ImageError, InvalidArgument
from image.model.digest import Digest, parse_digest
from image.model.json_document import parse_json_object
from image.model.reference import Reference, parse_reference

MAX_PAYLOAD_BYTES = 64 * 1024
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
"""Media type of the payload, a layer of the signature's manifest."""
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
"""Annotation of that layer with the signature in base64."""

_TYPE = "cosign container image signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedPayload:
    """A payload with a signature that nobody has checked yet."""

    payload: bytes
    signature: bytes
    envelope: str = ""
    """Payload type of a DSSE envelope; empty when the payload itself was signed."""

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is of: in an envelope the payload with its type and both lengths (DSSE protocol, PAE)."""
        if not self.envelope:
            return self.payload
        head = f"DSSEv1 {len(self.envelope)} {self.envelope} {len(self.payload)} "
        return head.encode() + self.payload


def signature_tag(digest: Digest) -> str:
    """Give the tag under which cosign keeps the signatures of a digest."""
    return f"{digest.replace(':', '-')}.sig"


def payload_fault(payload: bytes, *, digest: Digest, reference: Reference | None) -> str:
    """Say why the payload does not speak for an image, or nothing when it does.

    Args:
        payload: bytes whose signature is right.
        digest: what must have been signed.
        reference: whose repository the signer must have meant; None for any.
    """
    try:
        critical = parse_json_object(payload, subject="payload", max_bytes=MAX_PAYLOAD_BYTES).child(
            "critical"
        )
        image = critical.child("image") if critical else None
        if critical is None or image is None or critical.text("type") != _TYPE:
            return "is not a signature of a container image"
        signed = parse_digest(image.text("docker-manifest-digest"))
        identity = critical.child("identity")
        meant = identity.text("docker-reference") if identity else ""
    except ImageError:
        return "cannot be read"
    if signed != digest:
        return f"was made for {signed}"
    if reference is not None and _repository(meant) != reference.name:
        return f"was made for the repository {meant[:200]!r}"
    return ""


def _repository(text: str) -> str:
    try:
        return parse_reference(text).name
    except InvalidArgument:
        return ""
