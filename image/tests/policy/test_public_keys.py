"""Keys of three kinds verify what their owners signed, and nothing else."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from image.errors import InvalidArgument
from image.policy.public_keys import is_signed_by, load_key
from image.tests.policy.signing import PrivateKey, sign, write_public

KEYS: dict[str, PrivateKey] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA": rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
def test_signature_is_known_by_its_key_alone(tmp_path: Path, kind: str) -> None:
    signed = sign(KEYS[kind], b"payload")
    for name, key in KEYS.items():
        public = load_key(write_public(key, tmp_path / name))
        assert is_signed_by(public, signed.signature, b"payload") is (name == kind)
        assert not is_signed_by(public, signed.signature, b"other")
        assert not is_signed_by(public, b"", b"payload")


def test_short_rsa_key_is_refused(tmp_path: Path) -> None:
    path = write_public(rsa.generate_private_key(65537, 1024), tmp_path / "key")
    with pytest.raises(InvalidArgument, match="RSA key of 1024 bits"):
        load_key(path)


def test_key_for_another_purpose_is_refused(tmp_path: Path) -> None:
    key = x25519.X25519PrivateKey.generate().public_key()
    path = tmp_path / "key"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(InvalidArgument, match="neither ECDSA"):
        load_key(path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n", b"\xff"])
def test_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(InvalidArgument, match="no public key in PEM"):
        load_key(tmp_path / "key")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read: No such file"):
        load_key(tmp_path / "absent")
