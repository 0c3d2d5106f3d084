"""An image is used only if its rule says so; doubt is refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.errors import FailedPrecondition, InvalidArgument
from image.model.digest import Digest, sha256_digest
from image.model.reference import parse_reference
from image.policy.image_check import check_image, read_keys
from image.policy.policy_file import ACCEPT_ALL, Policy
from image.policy.policy_reading import read_policy
from image.policy.signature_bundle import read_bundle
from image.policy.signature_payload import SignedPayload
from image.tests.policy.signing import bundle_of, payload_of, sign, statement_of, write_public

OURS, THEIRS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
MANIFEST, INDEX, OTHER = (sha256_digest(word) for word in (b"manifest", b"index", b"other"))
REFERENCE = parse_reference("r.test/team/app:1")


@pytest.fixture
async def policy(tmp_path: Path) -> Policy:
    write_public(OURS, tmp_path / "ours.pub")
    (tmp_path / "policy.toml").write_text(
        'default = "reject"\n[[rule]]\nprefix = "r.test"\nrequire = "signed"\nkeys = ["ours.pub"]\n'
        '[[rule]]\nprefix = "free.test"\nrequire = "accept"\n'
    )
    return await read_policy(str(tmp_path / "policy.toml"))


async def check(
    policy: Policy,
    signatures: Mapping[Digest, Sequence[SignedPayload]] | None = None,
    name: str = str(REFERENCE),
    digests: Sequence[Digest] = (MANIFEST, INDEX),
) -> list[Digest]:
    """Check an image whose registry has these signatures; give the digests that it was asked for."""
    asked = []

    async def fetch(digest: Digest) -> Sequence[SignedPayload]:
        asked.append(digest)
        return (signatures or {}).get(digest, ())

    keys = await read_keys(policy, parse_reference(name))
    await check_image(policy, parse_reference(name), digests, fetch, keys=keys)
    return asked


async def refusal(policy: Policy, *args: object, **more: object) -> str:
    with pytest.raises(FailedPrecondition) as caught:
        await check(policy, *args, **more)  # type: ignore[arg-type]
    assert caught.value.reason == "SignatureValidationFailed"
    return str(caught.value)


def ours(digest: Digest, name: str = "r.test/team/app") -> SignedPayload:
    return sign(OURS, payload_of(digest, name))


async def test_later_place_is_asked_only_if_the_first_does_not_suffice(policy: Policy) -> None:
    good = ours(MANIFEST)
    asked = []

    async def first(digest: Digest) -> Sequence[SignedPayload]:
        asked.append(f"tag {digest == MANIFEST}")
        return ()

    async def second(digest: Digest) -> Sequence[SignedPayload]:
        asked.append(f"referrers {digest == MANIFEST}")
        return [good]

    keys = await read_keys(policy, REFERENCE)
    await check_image(policy, REFERENCE, (MANIFEST, INDEX), first, second, keys=keys)
    assert asked == ["tag True", "tag False", "referrers True"]
    await check_image(policy, REFERENCE, (MANIFEST,), second, first, keys=keys)
    assert asked[3:] == ["referrers True"]


@pytest.mark.parametrize(
    ("identity", "statement", "words"),
    [
        ("any", statement_of(MANIFEST), ""),
        ("repository", statement_of(MANIFEST), "names no repository"),
        ("any", statement_of(OTHER), "was made for"),
        ("any", statement_of(MANIFEST, predicateType="https://spdx.dev/Document"), "is not a sig"),
    ],
)
async def test_bundle_counts_where_the_rule_asks_for_no_repository(
    policy: Policy, identity: str, statement: dict[str, object], words: str
) -> None:
    rule = replace(policy.rules[0], any_identity=identity == "any")
    policy = replace(policy, rules=(rule,))
    signed = {MANIFEST: read_bundle(bundle_of(OURS, statement))}
    if words:
        assert words in await refusal(policy, signed)
    else:
        await check(policy, signed)
    theirs = {MANIFEST: read_bundle(bundle_of(THEIRS, statement))}
    assert "by none of the keys" in await refusal(policy, theirs)


async def test_accepted_prefix_needs_no_signature(policy: Policy) -> None:
    assert await check(policy, name="free.test/x:1") == []
    assert await check(ACCEPT_ALL) == []


async def test_rejected_image_is_refused_by_the_rule(policy: Policy) -> None:
    assert "rejects images without a rule" in await refusal(policy, name="evil.test/x:1")


async def test_signature_of_the_unpacked_manifest_is_enough(policy: Policy) -> None:
    assert await check(policy, {MANIFEST: [ours(MANIFEST)]}) == [MANIFEST]


async def test_signature_of_the_index_that_names_it_is_enough(policy: Policy) -> None:
    assert await check(policy, {INDEX: [ours(INDEX)]}) == [MANIFEST, INDEX]


async def test_signature_of_another_entry_of_the_index_is_not(policy: Policy) -> None:
    assert "is not signed" in await refusal(policy, {OTHER: [ours(OTHER)]})
    text = await refusal(policy, {MANIFEST: [ours(OTHER)]})
    assert f"was made for {OTHER}" in text


async def test_signature_by_another_key_is_not(policy: Policy) -> None:
    text = await refusal(
        policy, {MANIFEST: [sign(THEIRS, payload_of(MANIFEST, "r.test/team/app"))]}
    )
    assert "none of 1 signatures is acceptable" in text
    assert "is by none of the keys" in text


async def test_signature_for_another_repository_is_not(policy: Policy) -> None:
    text = await refusal(policy, {MANIFEST: [ours(MANIFEST, "r.test/team/old")]})
    assert "was made for the repository" in text


async def test_one_good_signature_among_bad_ones_is_enough(policy: Policy) -> None:
    bad = sign(THEIRS, payload_of(MANIFEST, "r.test/team/app"))
    assert await check(policy, {MANIFEST: [bad, ours(OTHER), ours(MANIFEST)]}) == [MANIFEST]


async def test_rule_whose_key_is_gone_refuses(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "ours.pub").unlink()
    with pytest.raises(InvalidArgument, match="cannot be read"):
        await check(policy, {MANIFEST: [ours(MANIFEST)]})
