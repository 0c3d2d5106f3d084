"""Endpoints come in order and on their terms."""

import pytest

from image.model.reference import parse_reference
from image.protocol.hosts_file import HostEntry, HostRules, TlsRules
from image.protocol.mirror_rules import Endpoint, endpoints_for, rule_directories
from image.protocol.rewrite_rules import RewriteRule


def endpoints(text: str, rules: HostRules | None = None) -> tuple[Endpoint, ...]:
    return endpoints_for(parse_reference(text), rules)


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("docker.io", ("docker.io", "_default")),
        ("a.test:5000", ("a.test_5000_", "a.test:5000", "_default")),
        ("[::1]:5000", ("[::1]_5000_", "[::1]:5000", "_default")),
        ("[::1]", ("[::1]", "_default")),
    ],
)
def test_directories_are_named_as_containerd_does(domain: str, names: tuple[str, ...]) -> None:
    assert rule_directories(domain) == names


@pytest.mark.parametrize(
    ("text", "url", "credentials"),
    [
        ("busybox", "https://registry-1.docker.io/v2", True),
        ("quay.io/a/b", "https://quay.io/v2", True),
        ("a.test:80/x", "https://a.test:80/v2", True),
        ("localhost:5000/x", "http://localhost:5000/v2", False),
        ("127.0.0.1:5000/x", "http://127.0.0.1:5000/v2", False),
        ("[::1]:5000/x", "http://[::1]:5000/v2", False),
    ],
)
def test_origin_alone_serves_without_rules(text: str, url: str, credentials: bool) -> None:
    (origin,) = endpoints(text)
    assert origin.url == url
    assert origin.is_origin
    assert origin.namespace == ""
    assert origin.gets_credentials is credentials


def test_mirrors_come_first_in_their_order() -> None:
    rules = HostRules(
        hosts=(
            HostEntry(url="https://m1.test", capabilities=frozenset({"pull"})),
            HostEntry(url="https://m2.test/proxy", override_path=True, dial_timeout=2.0),
            HostEntry(url="https://m3.test/v2"),
        )
    )
    found = endpoints("quay.io/a/b", rules)
    assert [one.url for one in found] == [
        "https://m1.test/v2",
        "https://m2.test/proxy",
        "https://m3.test/v2",
        "https://quay.io/v2",
    ]
    assert [one.is_origin for one in found] == [False, False, False, True]
    assert [one.can_resolve for one in found] == [False, True, True, True]
    assert [one.namespace for one in found] == ["quay.io"] * 3 + [""]
    assert [one.gets_credentials for one in found] == [False, False, False, True]
    assert found[1].dial_timeout == 2.0


def test_mirror_gets_credentials_when_it_is_said() -> None:
    rules = HostRules(hosts=(HostEntry(url="https://m.test", send_credentials=True),))
    assert endpoints("quay.io/a", rules)[0].gets_credentials


def test_host_that_is_the_origin_is_no_mirror() -> None:
    rules = HostRules(
        server=HostEntry(url="https://docker.io"),
        hosts=(HostEntry(url="https://registry-1.docker.io"),),
    )
    first, second = endpoints("busybox", rules)
    assert first.url == second.url == "https://registry-1.docker.io/v2"
    assert first.is_origin
    assert first.gets_credentials
    assert first.namespace == second.namespace == ""


def test_server_stands_for_the_origin() -> None:
    rules = HostRules(server=HostEntry(url="http://inside.test:5000"))
    (origin,) = endpoints("a.test/x", rules)
    assert origin.url == "http://inside.test:5000/v2"
    assert origin.is_origin
    assert origin.gets_credentials
    assert origin.namespace == "a.test"


def test_written_http_carries_credentials_on_the_loopback_too() -> None:
    rules = HostRules(server=HostEntry(url="http://localhost:5000"))
    assert endpoints("localhost:5000/x", rules)[0].gets_credentials


def test_certificates_for_a_registry_on_the_loopback_mean_tls() -> None:
    for tls in (TlsRules(ca=("/d/a.crt",)), TlsRules(client=(("/d/a.cert", ""),))):
        (origin,) = endpoints("localhost:5000/x", HostRules(server=HostEntry(url="", tls=tls)))
        assert origin.url == "https://localhost:5000/v2"
        assert origin.gets_credentials
        assert origin.tls == tls


def test_each_host_has_its_own_proxy() -> None:
    proxy, place = "http://u:S3CR3T@p.test:3128", "quay.io/hosts.toml:3"
    entry = HostEntry(url="https://m.test", proxy=proxy, place=place)
    mirror, origin = endpoints("quay.io/a", HostRules(hosts=(entry,)))
    assert (mirror.place, origin.place) == ("quay.io/hosts.toml:3", "")
    assert (mirror.proxy, origin.proxy) == ("http://u:S3CR3T@p.test:3128", "")
    assert "S3CR3T" not in repr(mirror)


def test_endpoint_is_shown_without_its_api_path() -> None:
    endpoint = Endpoint(url="https://a.test/v2", is_origin=True, headers=(("k", "S3CR3T"),))
    assert endpoint.shown == "https://a.test"
    assert str(endpoint.origin) == "https://a.test:443"
    assert "S3CR3T" not in repr(endpoint)


def test_repository_is_called_as_the_host_calls_it() -> None:
    rule = RewriteRule(pattern="team/", replacement="copy/")
    entry = HostEntry(url="https://m1.test", rewrite=(rule,), credential_helper="x")
    mirror, origin = endpoints("quay.io/team/b", HostRules(hosts=(entry,)))
    reference = parse_reference("quay.io/team/b")
    assert mirror.repository_of(reference) == "copy/b"
    assert origin.repository_of(reference) == "team/b"
    assert (mirror.is_written, origin.is_written) == (True, False)
    assert mirror.credential_helper == "x"
