"""Link headers: where the next page of a list is (RFC 8288; distribution-spec, "Listing Tags").

Pure. Only a target on the same origin and API path is accepted, so paging cannot lead elsewhere.
"""

import re
from urllib.parse import urljoin

from image.errors import FailedPrecondition
from image.protocol.url_origin import origin_of

_NEXT = re.compile(r"<([^<>\s]{1,4096})>[^,<]*;\s*rel=(?:\"next\"|next)(?=\s*(?:[;,]|$))")


def next_page(link: str, *, current: str) -> str | None:
    """Give the URL of the next page, or None on the last one.

    Raises:
        FailedPrecondition: the registry names a page elsewhere.
    """
    found = _NEXT.search(link)
    if found is None:
        return None
    target = urljoin(current, str(found[1]))
    if origin_of(target) != origin_of(current):
        raise FailedPrecondition(
            f"list of tags at {origin_of(current)}",
            f"continues at another server, {origin_of(target)}",
            reason="RedirectRefused",
        )
    return target
