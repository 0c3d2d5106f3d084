"""The list of hosts without proxy is read as Go does."""

import pytest

from image.protocol.proxy_rules import ProxyRules, is_proxy_url
from image.protocol.url_origin import origin_of

PROXY = "http://u:S3CR3T@proxy.test:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "proxied"),
    [
        ("", "https://a.test", True),
        ("", "http://localhost:5000", False),
        ("", "http://127.0.0.1:5000", False),
        ("*", "https://a.test", False),
        ("a.test", "https://a.test", False),
        ("A.test", "https://sub.a.test", False),
        (".a.test", "https://sub.a.test", False),
        (".a.test", "https://a.test", True),
        ("*.a.test", "https://sub.a.test", False),
        ("*.a.test", "https://a.test", True),
        ("a.test", "https://nota.test", True),
        ("a.test:443", "https://a.test", False),
        ("a.test:80", "https://a.test", True),
        (" , b.test,a.test ", "https://a.test", False),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("10.0.0.0/8", "https://a.test", True),
        ("10.0.0.0/99", "https://10.1.2.3", True),
        ("10.0.0.1", "https://10.0.0.1", False),
        ("10.0.0.2", "https://10.0.0.1", True),
        ("10.0.0.1:443", "https://10.0.0.1", False),
        ("2001:db8::1", "https://[2001:db8::1]", False),
        ("[2001:db8::1]:443", "https://[2001:db8::1]", False),
        ("[2001:db8::1]", "https://[2001:db8::1]", False),
        (".", "https://a.test", True),
    ],
)
def test_list_of_exceptions_is_read_as_go_does(no_proxy: str, url: str, proxied: bool) -> None:
    rules = ProxyRules(proxy=PROXY, no_proxy=no_proxy)
    assert rules.proxy_for(origin_of(url)) == (PROXY if proxied else None)


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("http://p.test:3128", True),
        ("https://u:p@p.test/", True),
        ("http://[2001:db8::1]:3128", True),
        ("p.test", False),
        ("ftp://p.test", False),
        ("http://", False),
        ("http://p.test/x", False),
        ("http://p.test/?x", False),
        ("http://p.test/#x", False),
        ("http://[p.test", False),
    ],
)
def test_proxy_is_a_plain_http_url(url: str, usable: bool) -> None:
    assert is_proxy_url(url) is usable


def test_proxy_without_a_scheme_is_one_of_http() -> None:
    target = origin_of("https://a.test")
    assert ProxyRules(proxy="u:p@proxy.test:3128").proxy_for(target) == "http://u:p@proxy.test:3128"


def test_no_proxy_means_direct() -> None:
    assert ProxyRules().proxy_for(origin_of("https://a.test")) is None


def test_password_of_the_proxy_is_not_shown() -> None:
    assert "S3CR3T" not in repr(ProxyRules(proxy=PROXY))
