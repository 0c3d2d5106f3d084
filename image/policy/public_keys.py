"""Public keys of signers, in PEM: ECDSA, Ed25519 and RSA, as `cosign generate-key-pair` and `openssl` write them.

Verifies bytes and nothing else. Hashes are SHA-256 as cosign has it; RSA is PKCS #1 v1.5 of at least 2048 bits.
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from image.errors import InvalidArgument

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

_MAX_KEY_BYTES = 64 * 1024
_LEAST_RSA_BITS = 2048


def load_key(path: Path) -> PublicKey:
    """Read a key file.

    Raises:
        InvalidArgument: it cannot be read, or holds no key of a known kind.
    """
    try:
        with path.open("rb") as stream:
            key = load_pem_public_key(stream.read(_MAX_KEY_BYTES))
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "holds no public key in PEM") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise _unusable(path, f"holds an RSA key of {key.key_size} bits")
    if isinstance(key, PublicKey):
        return key
    raise _unusable(path, "holds a key that is neither ECDSA, Ed25519 nor RSA")


def is_signed_by(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Tell whether `signature` of `content` was made with the private half of `key`."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _unusable(path: Path, cause: str) -> InvalidArgument:
    return InvalidArgument(
        f"key file {path}",
        cause,
        remedy="correct the policy file or the key",
        reason="InvalidPolicy",
    )
