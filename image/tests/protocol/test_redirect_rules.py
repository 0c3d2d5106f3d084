"""Redirects are followed only where they are harmless."""

import pytest

from image.errors import FailedPrecondition
from image.protocol.redirect_rules import check_redirect
from image.protocol.url_origin import origin_of


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("https://a.test", "https://store.test/x"),
        ("https://a.test", "https://10.0.0.1/x"),
        ("http://a.test", "http://store.test/x"),
        ("http://a.test", "https://store.test/x"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/x"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1/y"),
    ],
)
def test_ordinary_redirects_are_followed(source: str, location: str) -> None:
    assert check_redirect(location, source=origin_of(source)) == origin_of(location)


@pytest.mark.parametrize(
    ("source", "location", "words"),
    [
        ("https://a.test", "http://a.test/x?S3CR3T", "would leave https"),
        ("http://a.test", "http://169.254.169.254/S?S3CR3T", "may not name"),
        ("https://a.test", "https://127.0.0.1/x?S3CR3T", "is this machine"),
        ("https://a.test", "https://localhost/x?S3CR3T", "is this machine"),
        ("https://a.test", "file:///etc/passwd", "not a usable"),
        ("https://a.test", "https://u:S3CR3T@b.test/", "not a usable"),
    ],
)
def test_dangerous_redirects_are_refused(source: str, location: str, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words) as caught:
        check_redirect(location, source=origin_of(source))
    assert "S3CR3T" not in str(caught.value)
