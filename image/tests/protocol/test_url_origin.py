"""URLs have one origin, and are printed without secrets."""

import pytest

from image.errors import FailedPrecondition
from image.protocol.url_origin import (
    Origin,
    ip_literal,
    is_forbidden_target,
    is_loopback,
    origin_of,
    redact_text,
    redact_url,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.test/x", "https://a.test:443"),
        ("http://a.test", "http://a.test:80"),
        ("http://a.test:0/x", "http://a.test:0"),
        ("https://a.test.:5000?x@y", "https://a.test:5000"),
        ("https://[::1]:5000/", "https://[::1]:5000"),
    ],
)
def test_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert str(origin_of(url)) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test",
        "ftp://a.test",
        "https://",
        "https:///x",
        "https://a:99999/",
        "https://[::1/",
        "https://user@a.test/",
        "https://good.test\\@evil.test/",
        "https://a.test/ x",
        "https://a.\ttest/",
    ],
)
def test_disputable_urls_are_refused(url: str) -> None:
    with pytest.raises(FailedPrecondition, match="not a usable http or https URL"):
        origin_of(url)


def test_only_https_is_encrypted() -> None:
    assert Origin(scheme="https", host="a", port=1).is_encrypted
    assert not Origin(scheme="http", host="a", port=443).is_encrypted


def test_user_and_query_are_never_shown() -> None:
    assert redact_url("https://u:S3CR3T@a.test:1/p?S3CR3T#S3CR3T") == "https://a.test:1/p"
    assert redact_url("https://[") == "(an unreadable URL)"
    text = redact_text("see https://u:S3CR3T@a.test/p?k=S3CR3T, or\r\n\x1b[31m it")
    assert text == "see https://a.test/p or [31m it"
    assert redact_text("x" * 50, limit=10) == "x" * 10 + "..."


def test_addresses_are_told_from_names() -> None:
    assert str(ip_literal("10.0.0.1")) == "10.0.0.1"
    assert str(ip_literal("fe80::1%eth0")) == "fe80::1"
    assert ip_literal("a.test") is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("a.test", False), ("::2", False)],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "forbidden"),
    [
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1", True),
        ("0.0.0.0", True),
        ("2852039166", True),
        ("0xa9fea9fe", True),
        ("169.254.43518", True),
        ("224.0.0.1", True),
        ("10.0.0.1", False),
        ("2001:db8::1", False),
        ("a.test", False),
        ("123.test", False),
    ],
)
def test_addresses_of_metadata_services_are_forbidden(host: str, forbidden: bool) -> None:
    assert is_forbidden_target(host) is forbidden
