"""Signs images as `cosign sign --key` does, for tests."""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from image.model.digest import Digest
from image.model.media_types import OCI_CONFIG, OCI_MANIFEST
from image.policy.signature_payload import (
    SIGNATURE_ANNOTATION,
    SIMPLE_SIGNING,
    SignedPayload,
    signature_tag,
)
from image.tests.fakes.fake_registry import FakeRegistry, descriptor_of
from image.tests.fakes.fake_registry.content import json_bytes

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def write_public(key: PrivateKey, path: Path) -> Path:
    """Write the public half of a key as PEM."""
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return path


def payload_of(digest: str, name: str, **critical: object) -> bytes:
    """Make the document that cosign signs."""
    parts = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": parts | critical, "optional": None}).encode()


def sign(key: PrivateKey, payload: bytes) -> SignedPayload:
    """Sign a payload."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(payload)
    return SignedPayload(payload=payload, signature=signature)


def push_signature(
    registry: FakeRegistry, repository: str, digest: Digest, *signed: SignedPayload
) -> None:
    """Store signatures of a digest as cosign does."""
    layers = []
    for each in signed:
        registry.push_blob(repository, each.payload)
        text = base64.b64encode(each.signature).decode()
        layers.append(
            descriptor_of(each.payload, SIMPLE_SIGNING)
            | {"annotations": {SIGNATURE_ANNOTATION: text}}
        )
    config = b"{}"
    registry.push_blob(repository, config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor_of(config, OCI_CONFIG),
        "layers": layers,
    }
    registry.push_manifest(repository, signature_tag(digest), json_bytes(manifest), OCI_MANIFEST)
