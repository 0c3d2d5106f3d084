"""What the policy says of images that come from an archive: by their names, since an archive holds no signatures.

A name that the policy rejects is rejected from an archive too. A name whose images must be signed is refused unless
whoever imports vouches for the archive: otherwise a pod would use by that name what nobody has signed.
"""

from collections.abc import Iterable

from image.errors import FailedPrecondition
from image.model.reference import Reference
from image.policy.policy_file import Policy, Requirement

REFUSED = "SignatureValidationFailed"
"""The same word as for a pull."""


def check_import(policy: Policy, names: Iterable[Reference], *, trusted: bool) -> None:
    """Accept the names that an import would give, or refuse the first that may not be given.

    Raises:
        FailedPrecondition: refused; the reason is `REFUSED`.
    """
    for name in names:
        rule = policy.rule_for(name)
        if rule.require is Requirement.REJECT:
            place = f"below {rule.prefix}" if rule.prefix else "without a rule"
            raise FailedPrecondition(
                str(name),
                f"the policy of this node rejects images {place}",
                remedy="import it under another name, or change the policy file",
                reason=REFUSED,
            )
        if rule.require is Requirement.SIGNED and not trusted:
            raise FailedPrecondition(
                str(name),
                f"images below {rule.prefix} must be signed, and an archive holds no signatures",
                remedy="pull it, or vouch for the archive with --trust",
                reason=REFUSED,
            )
