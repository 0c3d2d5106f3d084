"""A payload speaks for one digest of one repository, or for nothing."""

import json

import pytest

from image.model.digest import sha256_digest
from image.model.reference import parse_reference
from image.policy.signature_payload import payload_fault, signature_tag
from image.tests.policy.signing import payload_of

DIGEST = sha256_digest(b"image")
REFERENCE = parse_reference("docker.io/library/app")


def fault(payload: bytes, *, any_repository: bool = False) -> str:
    return payload_fault(payload, digest=DIGEST, reference=None if any_repository else REFERENCE)


@pytest.mark.parametrize("name", ["index.docker.io/library/app", "app", "app:v1"])
def test_payload_of_this_image_is_accepted(name: str) -> None:
    assert fault(payload_of(DIGEST, name)) == ""


def test_signature_of_a_copy_needs_the_rule_to_say_so() -> None:
    payload = payload_of(DIGEST, "other.test/app")
    assert "was made for the repository 'other.test/app'" in fault(payload)
    assert fault(payload, any_repository=True) == ""


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (payload_of(sha256_digest(b"x"), "app"), "was made for sha256"),
        (payload_of(DIGEST, "!"), "was made for the repository '!'"),
        (payload_of(DIGEST, "app", identity=None), "was made for the repository ''"),
        (payload_of(DIGEST, "app", type="blob"), "not a signature of a container image"),
        (payload_of(DIGEST, "app", image=None), "not a signature of a container image"),
        (json.dumps({"optional": {}}).encode(), "not a signature of a container image"),
        (payload_of("sha256:1", "app"), "cannot be read"),
        (b"{", "cannot be read"),
        (b" " * 70_000, "cannot be read"),
    ],
)
def test_other_payloads_are_refused(payload: bytes, words: str) -> None:
    assert words in fault(payload)


def test_tag_is_cosigns() -> None:
    assert signature_tag(DIGEST) == f"sha256-{DIGEST[7:]}.sig"
