"""Content digests: the only form in which a digest may reach a path, a URL or a database.

Pure. Accepts sha256 and sha512 in exact lower-case hex (image-spec, descriptor.md#digests) and nothing else, so a
`Digest` can be used as a file name (security rule B2).
"""

import hashlib
import re
from typing import NewType

from image.errors import InvalidArgument

Digest = NewType("Digest", str)
"""`algorithm:hex`, accepted by `parse_digest`."""

_FORM = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


def parse_digest(text: str) -> Digest:
    """Accept `text` as a digest.

    Raises:
        InvalidArgument: any other algorithm, length, letter case or character.
    """
    if _FORM.fullmatch(text) is None:
        raise InvalidArgument(
            f"digest {text[:140]!r}",
            "is not sha256 or sha512 with exactly 64 or 128 lower-case hex digits",
            remedy="copy the digest as the registry prints it",
            reason="InvalidDigest",
        )
    return Digest(text)


def digest_algorithm(digest: Digest) -> str:
    """Name the hash of `digest`: `sha256` or `sha512`, as hashlib knows it."""
    return digest.partition(":")[0]


def digest_hex(digest: Digest) -> str:
    """Give the hex part of `digest`."""
    return digest.partition(":")[2]


def sha256_digest(content: bytes) -> Digest:
    """Hash `content` with the algorithm that everybody can read."""
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


def matches_digest(content: bytes, digest: Digest) -> bool:
    """Tell whether `content` has this digest, by the digest's own algorithm."""
    return hashlib.new(digest_algorithm(digest), content).hexdigest() == digest_hex(digest)
