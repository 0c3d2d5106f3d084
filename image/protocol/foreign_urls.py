"""Foreign layers: content that registries need not have, fetched from the urls of its descriptor (pull rule 1.21).

Pure. Whoever made the image chose these urls, so only https to public-looking hosts is followed and nothing private
is sent there (security rule C1); the digest decides about the content.
"""

from collections.abc import Sequence

from image.errors import FailedPrecondition
from image.protocol.mirror_rules import Endpoint
from image.protocol.url_origin import is_forbidden_target, is_loopback, origin_of

_MAX_URLS = 8


def foreign_endpoints(urls: Sequence[str]) -> tuple[Endpoint, ...]:
    """Make endpoints of the usable ones of `urls`, in order; others are left out."""
    return tuple(
        Endpoint(url=url, is_origin=False, is_foreign=True, can_resolve=False)
        for url in urls[:_MAX_URLS]
        if _is_usable(url)
    )


def _is_usable(url: str) -> bool:
    try:
        origin = origin_of(url)
    except FailedPrecondition:
        return False
    host = origin.host
    return origin.is_encrypted and not is_loopback(host) and not is_forbidden_target(host)
