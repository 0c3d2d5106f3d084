"""Token servers are judged before anything is sent to them."""

import pytest

from image.errors import PermissionDenied
from image.protocol.realm_rules import check_realm, is_own_domain
from image.protocol.url_origin import origin_of


def check(realm: str, registry: str, *, secret: bool = True, allowed: tuple[str, ...] = ()) -> str:
    target = check_realm(realm, registry=origin_of(registry), allowed=allowed, with_secret=secret)
    return str(target)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io/v2"),
        ("https://gitlab.com/jwt/auth", "https://registry.gitlab.com/v2"),
        ("https://ghcr.io/token", "https://ghcr.io/v2"),
        ("https://auth.ghcr.test/token", "https://ghcr.test/v2"),
        ("https://registry.test:8443/token", "https://registry.test/v2"),
        ("http://registry.test:5001/token", "http://registry.test:5000/v2"),
        ("https://10.0.0.1/token", "https://10.0.0.1:5000/v2"),
        ("http://127.0.0.1:5000/token", "http://127.0.0.1:5000/v2"),
    ],
)
def test_own_token_server_may_see_credentials(realm: str, registry: str) -> None:
    assert check(realm, registry)


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize(
    "realm",
    [
        "http://registry.test/token",
        "http://evil.test/token",
        "https://169.254.169.254/token",
        "https://2852039166/token",
        "https://10.0.0.1/token",
        "https://[::1]/token",
    ],
)
def test_dangerous_realm_is_not_even_asked(realm: str, secret: bool) -> None:
    with pytest.raises(PermissionDenied, match="token server") as caught:
        check(realm, "https://registry.test/v2", secret=secret)
    assert caught.value.reason == "RealmRefused"


def test_foreign_realm_is_asked_without_credentials_only() -> None:
    realm = "https://ghcr.io/token?x=S3CR3T"
    assert check(realm, "https://lscr.io/v2", secret=False) == "https://ghcr.io:443"
    with pytest.raises(PermissionDenied, match="another domain") as caught:
        check(realm, "https://lscr.io/v2")
    assert "https://ghcr.io/token" in str(caught.value)
    assert "S3CR3T" not in str(caught.value)


def test_listed_realm_may_see_credentials() -> None:
    listed = ("https://ghcr.io", "https://10.0.0.9:8443")
    assert check("https://ghcr.io/token", "https://lscr.io/v2", allowed=listed)
    assert check("https://10.0.0.9:8443/t", "https://lscr.io/v2", allowed=listed)
    with pytest.raises(PermissionDenied):
        check("https://10.0.0.9/t", "https://lscr.io/v2", allowed=listed)


@pytest.mark.parametrize(
    ("host", "registry", "own"),
    [
        ("a.test", "a.test", True),
        ("auth.a.test", "a.test", True),
        ("a.test", "registry.a.test", True),
        ("auth.a.test", "registry.a.test", True),
        ("a.azurecr.io", "b.azurecr.io", False),
        ("azurecr.io", "b.azurecr.io", False),
        ("x.dkr.ecr.eu.amazonaws.com", "y.dkr.ecr.eu.amazonaws.com", False),
        ("evil.co.uk", "registry.co.uk", False),
        ("co.uk", "registry.co.uk", False),
        ("evil.io", "ghcr.io", False),
        ("io", "ghcr.io", False),
        ("nota.test", "a.test", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "a.test", False),
        ("a.test", "10.0.0.1", False),
        ("auth.localhost", "localhost", True),
    ],
)
def test_owner_of_a_domain_is_told_by_its_name(host: str, registry: str, own: bool) -> None:
    assert is_own_domain(host, registry) is own
