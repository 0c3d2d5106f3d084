"""Where a registry may send us for a blob (security rules C1 and C2).

Pure. A redirect must stay http or https, must not fall from https to http, carry no user, and not lead to link-local
addresses, nor from the network into this machine.
"""

from image.errors import FailedPrecondition
from image.protocol.url_origin import (
    Origin,
    is_forbidden_target,
    is_loopback,
    origin_of,
    redact_url,
)


def check_redirect(location: str, *, source: Origin) -> Origin:
    """Give the origin of `location` if `source` may redirect there.

    Raises:
        FailedPrecondition: it may not; the text names the target.
    """
    target = origin_of(location)
    if target == source:
        return target
    if source.is_encrypted and not target.is_encrypted:
        raise _refusal(location, "would leave https")
    if is_forbidden_target(target.host):
        raise _refusal(location, "is an address that registries may not name")
    if is_loopback(target.host) and not is_loopback(source.host):
        raise _refusal(location, "is this machine")
    return target


def _refusal(location: str, cause: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"redirect to {redact_url(location)[:300]!r}", cause, reason="RedirectRefused"
    )
