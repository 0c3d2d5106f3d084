"""A bundle is read as cosign 3 writes it; whatever else it may be is no signature."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.model.digest import Digest, sha256_digest
from image.policy.public_keys import is_signed_by
from image.policy.signature_bundle import read_bundle, statement_fault
from image.tests.policy.signing import bundle_of, statement_of

KEY = ec.generate_private_key(ec.SECP256R1())
DIGEST = sha256_digest(b"manifest")


def test_signature_is_of_the_envelope_and_not_of_the_payload_alone() -> None:
    (signed,) = read_bundle(bundle_of(KEY, statement_of(DIGEST)))
    assert signed.signed_bytes.startswith(b"DSSEv1 28 application/vnd.in-toto+json ")
    assert is_signed_by(KEY.public_key(), signed.signature, signed.signed_bytes)
    assert not is_signed_by(KEY.public_key(), signed.signature, signed.payload)
    assert statement_fault(signed.payload, digest=DIGEST) == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"no JSON",
        b"{}",
        b'{"messageSignature": {"signature": "AAAA"}}',
        b'{"dsseEnvelope": {"payloadType": "text/plain", "payload": "", "signatures": []}}',
        b'{"dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": "!"}}',
    ],
)
def test_other_documents_hold_no_signature(raw: bytes) -> None:
    assert read_bundle(raw) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"_type": "other"}, "not a signature of a container image"),
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "not a signature of a container"),
        ({"subject": []}, "was made for nothing"),
        ({"subject": [{"digest": {"sha256": "0" * 64}}]}, f"was made for sha256:{'0' * 64}"),
        ({"subject": [{"digest": {"sha512": "0" * 128}}]}, "was made for sha256:"),
        ({"subject": 5}, "cannot be read"),
    ],
)
def test_statement_about_something_else_is_refused(change: dict[str, object], words: str) -> None:
    payload = json.dumps(statement_of(DIGEST, **change)).encode()
    assert words in statement_fault(payload, digest=DIGEST)


def test_digest_of_another_algorithm_is_compared_as_such() -> None:
    other = Digest("sha512:" + "a" * 128)
    payload = json.dumps(statement_of(DIGEST, subject=[{"digest": {"sha512": "a" * 128}}])).encode()
    assert statement_fault(payload, digest=other) == ""
