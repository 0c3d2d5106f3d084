"""The decision about one image: its rule is found, and if it asks for signatures, they are fetched and checked.

What is checked is the digest that will be unpacked, or that of the index through which it was found and which names it
(security rule B6): every byte of the image hangs on either. Signatures come from whoever the caller asks for them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from image.errors import FailedPrecondition
from image.model.digest import Digest
from image.model.reference import Reference
from image.policy.policy_file import (
    Policy,
    Requirement,
    Rule,
)
from image.policy.signature_bundle import statement_fault
from image.policy.signature_payload import SignedPayload, payload_fault

if TYPE_CHECKING:
    from image.policy.public_keys import PublicKey

REFUSED = "SignatureValidationFailed"
"""Reason of every refusal; the kubelet knows the word."""

FetchSignatures = Callable[[Digest], Awaitable[Sequence[SignedPayload]]]


async def read_keys(policy: Policy, reference: Reference) -> "tuple[PublicKey, ...]":
    """Read the keys by which `reference` may be signed; none where the rule asks for no signature.

    Raises:
        InvalidArgument: a key file of the rule cannot be used.
    """
    names = policy.rule_for(reference).keys
    if not names:
        return ()
    # 7 MB of code that most nodes have no use for
    from image.policy.public_keys import load_key

    return await asyncio.to_thread(lambda: tuple(load_key(Path(name)) for name in names))


async def check_image(
    policy: Policy,
    reference: Reference,
    digests: Sequence[Digest],
    *places: FetchSignatures,
    keys: "Sequence[PublicKey]",
) -> None:
    """Accept an image, or refuse it.

    Args:
        policy: the rules.
        reference: what was asked for.
        digests: the manifest that will be unpacked, then the index that names it.
        places: each gives the signatures of a digest, none when there are none; a later one is asked only if those
            of the ones before it do not suffice.
        keys: what `read_keys` gave.

    Raises:
        FailedPrecondition: refused; the reason is `REFUSED`.
        ImageError: signatures could not be fetched.
    """
    rule = policy.rule_for(reference)
    if rule.require is Requirement.ACCEPT:
        return
    if rule.require is Requirement.REJECT:
        place = f"below {rule.prefix}" if rule.prefix else "without a rule"
        raise _refused(reference, f"the policy of this node rejects images {place}")
    faults: list[str] = []
    for fetch in places:
        for digest in dict.fromkeys(digests):
            for signed in await fetch(digest):
                fault = _fault(rule, keys, signed, digest, reference)
                if not fault:
                    return
                faults.append(f"signature {len(faults) + 1}, of {digest}, {fault}")
    cause = f"none of {len(faults)} signatures is acceptable" if faults else "it is not signed"
    raise _refused(
        reference, f"{cause}, and images below {rule.prefix} must be", tuple(faults[:16])
    )


def _fault(
    rule: Rule,
    keys: "Sequence[PublicKey]",
    signed: SignedPayload,
    digest: Digest,
    reference: Reference,
) -> str:
    from image.policy.public_keys import is_signed_by

    if not any(is_signed_by(key, signed.signature, signed.signed_bytes) for key in keys):
        return "is by none of the keys"
    if signed.envelope:
        fault = statement_fault(signed.payload, digest=digest)
        if fault or rule.any_identity:
            return fault
        return 'names no repository, as all of cosign 3; identity = "any" in the rule accepts such'
    meant = None if rule.any_identity else reference
    return payload_fault(signed.payload, digest=digest, reference=meant)


def _refused(reference: Reference, cause: str, details: tuple[str, ...] = ()) -> FailedPrecondition:
    return FailedPrecondition(
        str(reference),
        cause,
        remedy="sign the image by its digest, or change the policy file",
        reason=REFUSED,
        details=details,
    )
