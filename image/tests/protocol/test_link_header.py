"""Paging stays on its server."""

import pytest

from image.errors import FailedPrecondition
from image.protocol.link_header import next_page

CURRENT = "https://a.test/v2/x/tags/list"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("", None),
        ('</v2/x/tags/list?last=b>; rel="prev"', None),
        ('</v2/x/tags/list?last=b>; rel="next"', f"{CURRENT}?last=b"),
        ("<?last=b>; rel=next", f"{CURRENT}?last=b"),
        ('<p>; rel="prev", <?last=b>; title="t"; rel="next"', f"{CURRENT}?last=b"),
        ("<https://a.test/v2/x/tags/list?n=1>; rel=next", f"{CURRENT}?n=1"),
        ("<?x>; rel=nextish", None),
    ],
)
def test_next_page_is_found(link: str, target: str | None) -> None:
    assert next_page(link, current=CURRENT) == target


@pytest.mark.parametrize("target", ["https://evil.test/x", "http://a.test/x", "//evil.test/"])
def test_page_of_another_server_is_refused(target: str) -> None:
    with pytest.raises(FailedPrecondition, match="another server"):
        next_page(f'<{target}>; rel="next"', current=CURRENT)
