"""Tests of chain ids."""

from image.model.digest import sha256_digest
from image.store.chain_ids import chain_ids


def test_chain_is_hashed_pairwise() -> None:
    a, b, c = (sha256_digest(x) for x in (b"a", b"b", b"c"))
    ab = sha256_digest(f"{a} {b}".encode())
    assert chain_ids([a, b, c]) == (a, ab, sha256_digest(f"{ab} {c}".encode()))
    assert chain_ids([]) == ()
