"""Archives give no name that the policy keeps for others."""

import pytest

from image.errors import FailedPrecondition
from image.model.reference import parse_reference
from image.policy.import_check import check_import
from image.policy.policy_file import ACCEPT_ALL, parse_policy

POLICY = parse_policy(
    'default = "accept"\n'
    '[[rule]]\nprefix = "bad.test"\nrequire = "reject"\n'
    '[[rule]]\nprefix = "signed.test"\nrequire = "signed"\nkeys = "k.pub"\n',
    path="/policy.toml",
)
STRICT = parse_policy("", path="/policy.toml")


def names(*texts: str) -> list[object]:
    return [parse_reference(text) for text in texts]


def check(policy: object, *texts: str, trusted: bool = False) -> None:
    check_import(policy, names(*texts), trusted=trusted)  # type: ignore[arg-type]


def test_names_without_a_rule_follow_the_default() -> None:
    check(ACCEPT_ALL, "bad.test/a")
    check(POLICY, "good.test/a")
    with pytest.raises(FailedPrecondition, match="without a rule"):
        check(STRICT, "good.test/a", trusted=True)


def test_a_rejected_name_is_refused_whoever_vouches() -> None:
    for trusted in (False, True):
        with pytest.raises(FailedPrecondition, match=r"rejects images below bad\.test") as told:
            check(POLICY, "good.test/a", "bad.test/a", trusted=trusted)
        assert told.value.reason == "SignatureValidationFailed"


def test_a_name_that_must_be_signed_wants_somebody_who_vouches() -> None:
    with pytest.raises(FailedPrecondition, match="--trust"):
        check(POLICY, "signed.test/a")
    check(POLICY, "signed.test/a", trusted=True)
