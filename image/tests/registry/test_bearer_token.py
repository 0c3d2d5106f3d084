"""Tokens are fetched once, and secrets stay with whom they are for."""

import contextlib
import logging
from pathlib import Path

import pytest

from image.errors import InvalidArgument, PermissionDenied, Unavailable
from image.model.platform import parse_platform
from image.model.records import RegistryAuth
from image.model.reference import parse_reference
from image.protocol.auth_challenge import Challenge
from image.protocol.mirror_rules import Endpoint
from image.protocol.proxy_rules import ProxyRules
from image.protocol.retry_policy import RetryPolicy
from image.protocol.transport_limits import TransportLimits
from image.registry.bearer_token import Audience, AuthorizationSource
from image.registry.client import RegistryClient
from image.registry.credentials import Credential
from image.registry.http_transport import HttpTransport
from image.registry.resolved_image import ResolvedImage
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.fakes.fake_registry.certificates import make_certificate
from image.tests.registry.conftest import MakeClient, WriteHosts

LAYER = layer_of({"etc/motd": b"hello"})
SECRET = RegistryAuth(username="robot", password="S3CR3T")


async def resolve(
    client: RegistryClient, registry: FakeRegistry, auth: RegistryAuth | None
) -> ResolvedImage:
    reference = parse_reference(f"{registry.host}/team/app:v1")
    return await client.resolve(reference, platform=parse_platform("linux/amd64"), auth=auth)


def trust(registry: FakeRegistry, write_hosts: WriteHosts, more: str = "") -> None:
    """Say in hosts.toml that plain http is wanted, which alone lets credentials over it."""
    registry.push_image("team/app", "v1", layers=[LAYER])
    write_hosts(registry.host, f'server = "{registry.url}"\n{more}')


async def test_anonymous_token_is_fetched_once_for_all_requests(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        async with make_client() as client:
            image = await resolve(client, registry, None)
            await client.fetch_config(image)
            async with contextlib.aclosing(client.download(image, image.layers[0])) as stream:
                assert b"".join([piece async for piece in stream]) == LAYER.blob
        assert len(registry.seen("/token")) == 1
        assert registry.violations == []


@pytest.mark.parametrize("mode", ["bearer", "basic"])
async def test_credentials_open_a_private_registry(
    make_client: MakeClient, write_hosts: WriteHosts, mode: str
) -> None:
    auth = "bearer" if mode == "bearer" else "basic"
    with FakeRegistry(
        auth="bearer" if auth == "bearer" else "basic", username="robot", password="S3CR3T"
    ) as registry:
        trust(registry, write_hosts)
        async with make_client() as client:
            image = await resolve(client, registry, SECRET)
            assert await client.fetch_config(image)
            assert "S3CR3T" not in repr(image)


async def test_encoded_pair_and_identity_token_are_understood(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry(
        auth="bearer", username="robot", password="S3CR3T", identity_token="refresh"
    ) as registry:
        trust(registry, write_hosts)
        async with make_client() as client:
            await resolve(client, registry, RegistryAuth(auth="cm9ib3Q6UzNDUjNU"))
            await resolve(client, registry, RegistryAuth(identity_token="refresh"))
        assert [request.method for request in registry.seen("/token")] == ["GET", "POST"]


async def test_registry_token_is_used_as_it_is(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry(auth="bearer") as registry:
        trust(registry, write_hosts)
        registry.gate.issued["given"] = "repository:team/app:pull"
        async with make_client() as client:
            await resolve(client, registry, RegistryAuth(registry_token="given"))
            with pytest.raises(PermissionDenied):
                await resolve(client, registry, RegistryAuth(registry_token="other"))
        assert registry.seen("/token") == []


@pytest.mark.parametrize("mode", ["bearer", "basic"])
async def test_security_c3_wrong_credentials_are_told_without_the_secret(
    make_client: MakeClient,
    write_hosts: WriteHosts,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeRegistry(
        auth="bearer" if mode == "bearer" else "basic", username="robot", password="other"
    ) as registry:
        trust(registry, write_hosts)
        async with make_client() as client:
            with pytest.raises(PermissionDenied) as caught:
                await resolve(client, registry, SECRET)
        assert "UNAUTHORIZED" in str(caught.value)
        for text in (str(caught.value), repr(caught.value), caplog.text):
            assert "S3CR3T" not in text
            assert "UzNDUjNU" not in text


async def test_security_c2_credentials_never_go_over_http_that_nobody_configured(
    make_client: MakeClient,
) -> None:
    with FakeRegistry(auth="basic", username="robot", password="S3CR3T") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        async with make_client() as client:
            with pytest.raises(PermissionDenied, match="credentials are not sent"):
                await resolve(client, registry, SECRET)
        assert all("authorization" not in request.headers for request in registry.requests)


async def test_security_c1_credentials_of_another_server_stay_here(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry(auth="basic", username="robot", password="S3CR3T") as registry:
        trust(registry, write_hosts)
        auth = RegistryAuth(
            username="robot", password="S3CR3T", server_address="https://other.test/v1/"
        )
        async with make_client() as client:
            with pytest.raises(PermissionDenied):
                await resolve(client, registry, auth)
        assert all("authorization" not in request.headers for request in registry.requests)


@pytest.mark.parametrize(
    "realm",
    [
        "http://evil.test/token",
        "https://evil.test/token",
        "https://169.254.169.254/token",
        "http://169.254.169.254/token",
        "https://2852039166/token",
    ],
)
async def test_security_c1_foreign_realm_gets_no_secret_and_is_named(
    make_client: MakeClient, write_hosts: WriteHosts, realm: str
) -> None:
    with FakeRegistry(auth="bearer", username="robot", password="S3CR3T") as registry:
        trust(registry, write_hosts)
        registry.gate.realm = realm
        async with make_client() as client:
            with pytest.raises(PermissionDenied) as caught:
                await resolve(client, registry, SECRET)
        assert realm in str(caught.value)
        assert "S3CR3T" not in str(caught.value)
        assert all("authorization" not in request.headers for request in registry.requests)


async def test_token_server_with_another_certificate_gets_no_secret(
    make_client: MakeClient, write_hosts: WriteHosts, tmp_path: Path
) -> None:
    """Security rule C2: the leg to the token server is checked like all others."""
    certificates = []
    for name in ("registry", "tokens"):
        (tmp_path / name).mkdir()
        certificates.append(make_certificate(tmp_path / name))
    ours, theirs = certificates
    with (
        FakeRegistry(auth="bearer", tls_certificate=ours) as registry,
        FakeRegistry(tls_certificate=theirs) as tokens,
    ):
        registry.gate.realm = f"{tokens.url}/token"
        trust(registry, write_hosts, f'ca = "{ours}"\n')
        async with make_client(retry=RetryPolicy(first_wait=0.0, max_attempts=1)) as client:
            with pytest.raises(Unavailable, match="TLS failed") as caught:
                await resolve(client, registry, SECRET)
        assert f"token server {tokens.url}" in str(caught.value)
        assert tokens.requests == []
        assert all("authorization" not in request.headers for request in registry.requests)


async def test_security_c1_mirror_gets_no_credentials_unless_it_is_said(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with (
        FakeRegistry(auth="basic", username="robot", password="S3CR3T") as mirror,
        FakeRegistry(auth="basic", username="robot", password="S3CR3T") as origin,
    ):
        mirror.push_image("team/app", "v1", layers=[LAYER])
        trust(origin, write_hosts, f'[host."{mirror.url}"]\n')
        async with make_client() as client:
            image = await resolve(client, origin, SECRET)
        assert image.endpoint_url == origin.url
        assert all("authorization" not in request.headers for request in mirror.requests)


async def test_mirror_that_may_have_credentials_gets_them(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry(auth="basic", username="robot", password="S3CR3T") as mirror:
        mirror.push_image("team/app", "v1", layers=[LAYER])
        write_hosts("registry.test", f'[host."{mirror.url}"]\nsend_credentials = true\n')
        async with make_client() as client:
            reference = parse_reference("registry.test/team/app:v1")
            platform = parse_platform("linux/amd64")
            image = await client.resolve(reference, platform=platform, auth=SECRET)
        assert image.endpoint_url == mirror.url


async def test_security_c1_headers_of_hosts_toml_stay_with_their_host(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry, FakeRegistry() as store:
        store.push_blob("store", LAYER.blob)
        trust(registry, write_hosts, '[header]\nx-key = "S3CR3T"\nauthorization = "Mine"\n')
        async with make_client() as client:
            image = await resolve(client, registry, None)
            target = f"{store.url}/v2/store/blobs/{LAYER.digest}"
            registry.add_fault(Fault(kind="redirect", location=target))
            async with contextlib.aclosing(client.download(image, image.layers[0])) as stream:
                assert b"".join([piece async for piece in stream]) == LAYER.blob
        assert all(request.headers["x-key"] == "S3CR3T" for request in registry.requests)
        assert "x-key" not in store.requests[0].headers
        assert "authorization" not in store.requests[0].headers


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="replace_body", on="token", body=b"{}"), "no usable token"),
        (Fault(kind="replace_body", on="token", body=b'{"token":"a b"}'), "no usable token"),
        (Fault(kind="replace_body", on="token", body=b"[]"), "not a JSON object"),
        (Fault(kind="replace_body", on="token", body=b" " * (1 << 20) + b"{}"), "sent more than"),
        (Fault(kind="status", on="token", status=400, body=b'{"error":"invalid_grant"}'), "GRANT"),
        (Fault(kind="status", on="token", status=403), "answered 403"),
    ],
)
async def test_unusable_answer_of_the_token_server_is_told(
    make_client: MakeClient, fault: Fault, words: str
) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_fault(fault)
        async with make_client() as client:
            with pytest.raises(Exception, match=words) as caught:
                await resolve(client, registry, None)
        assert f"{registry.url}/token" in str(caught.value)


async def test_each_scope_of_a_challenge_is_asked_for(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        scopes = "repository:team/app:pull repository:base:pull repository:base:pull"
        registry.gate.challenge = (
            f'Bearer realm="{registry.gate.realm}",service="fake",scope="{scopes}"'
        )
        async with make_client() as client:
            await resolve(client, registry, None)
        (asked,) = registry.seen("/token")
        assert asked.query.split("&") == [
            "service=fake",
            "scope=repository%3Ateam%2Fapp%3Apull",
            "scope=repository%3Abase%3Apull",
        ]


async def test_token_under_its_other_name_is_taken(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        registry.gate.issued["other"] = "repository:team/app:pull"
        body = b'{"access_token": "other", "expires_in": 60, "refresh_token": "ignored"}'
        registry.add_fault(Fault(kind="replace_body", on="token", body=body))
        async with make_client() as client:
            await resolve(client, registry, None)


async def test_token_server_in_trouble_is_asked_again(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="status", on="token", status=503, times=2))
        async with make_client() as client:
            await resolve(client, registry, None)
            registry.gate.issued.clear()
            registry.add_fault(Fault(kind="status", on="token", status=503, times=-1))
            with pytest.raises(Unavailable, match="answered 503"):
                await resolve(client, registry, None)


async def test_revoked_token_is_replaced(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        async with make_client() as client:
            image = await resolve(client, registry, None)
            registry.gate.issued.clear()
            assert await client.fetch_config(image)
        assert len(registry.seen("/token")) == 2


@pytest.mark.parametrize(
    "challenge",
    ["Negotiate", "Bearer service=x", 'Bearer realm="nonsense"', '"', "Basic realm=\x80"],
)
async def test_challenge_that_cannot_be_met_is_told(
    make_client: MakeClient, challenge: str
) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.gate.challenge = challenge
        async with make_client() as client:
            with pytest.raises(PermissionDenied):
                await resolve(client, registry, None)


@pytest.mark.parametrize("expires_in", [None, 0, 10_000_000])
async def test_lifetime_of_a_token_is_bounded(expires_in: int | None) -> None:
    now = [1000.0]
    with FakeRegistry(auth="bearer") as registry:
        registry.gate.expires_in = expires_in
        endpoint = Endpoint(url=f"{registry.url}/v2", is_origin=True)
        audience = Audience(origin=endpoint.origin, scope="s", credential=None)
        challenge = Challenge(
            scheme="bearer", parameters=(("realm", registry.gate.realm), ("service", "fake"))
        )
        async with HttpTransport(
            proxy=ProxyRules(), user_agent="t", limits=TransportLimits()
        ) as transport:
            source = AuthorizationSource(transport, clock=lambda: now[0])
            header = await source.answer(endpoint, audience, [challenge], rejected=None)
            assert header == "Bearer token-1"
            known = {}
            for later in (0.0, 53.0, 55.0, 38_000.0, 39_000.0):
                now[0] = 1000.0 + later
                known[later] = source.known_header(audience) is not None
    assert (
        list(known.values())
        == {
            None: [True, True, False, False, False],
            0: [False] * 5,
            10_000_000: [True, True, True, True, False],
        }[expires_in]
    )


async def test_token_fetched_meanwhile_is_shared_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("image.registry.bearer_token._MAX_TOKENS", 10)
    async with HttpTransport(
        proxy=ProxyRules(), user_agent="t", limits=TransportLimits()
    ) as transport:
        source = AuthorizationSource(transport)
        endpoint = Endpoint(url="https://registry.test/v2", is_origin=True)
        basic = [Challenge(scheme="basic")]
        credential = Credential(username="u", password="p")
        for number in range(30):
            audience = Audience(origin=endpoint.origin, scope=str(number), credential=credential)
            header = await source.answer(endpoint, audience, basic, rejected=None)
            assert header == "Basic dTpw"
            assert await source.answer(endpoint, audience, basic, rejected=None) == header
        assert await source.answer(endpoint, audience, basic, rejected=header) is None
        assert await source.answer(endpoint, audience, [], rejected=header) is None


async def test_unreadable_pull_secret_is_the_callers_fault(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry:
        trust(registry, write_hosts)
        async with make_client() as client:
            with pytest.raises(InvalidArgument, match="base64"):
                await resolve(client, registry, RegistryAuth(auth="%%%"))
