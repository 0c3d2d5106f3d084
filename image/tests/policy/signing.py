"""Signs images as `cosign sign --key` does, for tests."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from image.model.digest import Digest
from image.model.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from image.policy.signature_bundle import SIGN_PREDICATE
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


def bundle_of(key: PrivateKey, statement: Mapping[str, object]) -> bytes:
    """Sign a statement and put it into a bundle, as `cosign sign --key` of version 3 does."""
    payload = json.dumps(statement).encode()
    kind = "application/vnd.in-toto+json"
    unsigned = SignedPayload(payload=payload, signature=b"", envelope=kind)
    signature = sign(key, unsigned.signed_bytes).signature
    return json_bytes(
        {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": kind,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
    )


def statement_of(digest: Digest, **more: object) -> dict[str, object]:
    """Make the statement that says that a digest is signed."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.partition(":")[2]}, "annotations": {}}],
        "predicateType": SIGN_PREDICATE,
        "predicate": {},
    } | more


def push_bundle(
    registry: FakeRegistry, repository: str, digest: Digest, bundle: bytes, **more: object
) -> Digest:
    """Store a bundle as a referrer of a digest, and list it under the tag for registries that have no API."""
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    registry.push_blob(repository, bundle)
    registry.push_blob(repository, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": descriptor_of(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [descriptor_of(bundle, kind)],
        "subject": {"mediaType": OCI_MANIFEST, "digest": digest, "size": 2},
        "annotations": {"dev.sigstore.bundle.predicateType": SIGN_PREDICATE},
    } | more
    raw = json_bytes(manifest)
    if not registry.routes.has_referrers:
        entry = descriptor_of(raw, OCI_MANIFEST) | {"artifactType": manifest["artifactType"]}
        index = json_bytes({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
        registry.push_manifest(repository, digest.replace(":", "-"), index, OCI_INDEX)
    return registry.push_manifest(repository, "", raw, OCI_MANIFEST)


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
