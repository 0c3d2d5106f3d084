"""Digests are accepted in one exact form."""

import hashlib

import pytest

from image.errors import InvalidArgument
from image.model.digest import (
    digest_algorithm,
    digest_hex,
    matches_digest,
    parse_digest,
    sha256_digest,
)

HEX = "0123456789abcdef" * 4


def test_sha256_and_sha512_are_accepted() -> None:
    for text in (f"sha256:{HEX}", f"sha512:{HEX}{HEX}"):
        digest = parse_digest(text)
        assert digest == text
        assert f"{digest_algorithm(digest)}:{digest_hex(digest)}" == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        HEX,
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha512:{HEX}",
        "sha256:../../x",
        f"md5:{HEX[:32]}",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        "sha256:" + "\u0660" * 64,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="64 or 128 lower-case hex") as caught:
        parse_digest(text)
    assert caught.value.reason == "InvalidDigest"


def test_content_is_compared_by_the_algorithm_of_the_digest() -> None:
    long = parse_digest(f"sha512:{hashlib.sha512(b'x').hexdigest()}")
    assert matches_digest(b"x", long)
    assert not matches_digest(b"y", long)
    assert matches_digest(b"x", sha256_digest(b"x"))
