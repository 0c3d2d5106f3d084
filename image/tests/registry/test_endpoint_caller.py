"""URLs of the API, and what a single authorised request does with its answer."""

import pytest

from image.model.digest import sha256_digest
from image.model.reference import parse_reference
from image.protocol.endpoint_outcome import EndpointFailure, FailureKind
from image.protocol.mirror_rules import Endpoint
from image.protocol.proxy_rules import ProxyRules
from image.protocol.transport_limits import TransportLimits
from image.registry.bearer_token import AuthorizationSource
from image.registry.endpoint_caller import EndpointCaller, blob_url, manifest_url, tags_url
from image.registry.http_transport import HttpTransport
from image.tests.fakes.fake_registry import FakeRegistry, Fault

REFERENCE = parse_reference("a.test/x/y:v1")
DIGEST = sha256_digest(b"content")


def test_urls_are_those_of_the_distribution_spec() -> None:
    origin = Endpoint(url="https://a.test/v2", is_origin=True)
    assert manifest_url(origin, REFERENCE, "v1") == "https://a.test/v2/x/y/manifests/v1"
    assert blob_url(origin, REFERENCE, DIGEST) == f"https://a.test/v2/x/y/blobs/{DIGEST}"
    assert tags_url(origin, REFERENCE) == "https://a.test/v2/x/y/tags/list"


def test_mirror_is_told_whose_content_is_meant() -> None:
    mirror = Endpoint(url="https://m.test/v2", is_origin=False, namespace="a.test:5000")
    assert blob_url(mirror, REFERENCE, DIGEST).endswith(f"{DIGEST}?ns=a.test%3A5000")


def test_foreign_url_is_the_blob() -> None:
    foreign = Endpoint(url="https://f.test/layer?s=1", is_origin=False, is_foreign=True)
    assert blob_url(foreign, REFERENCE, DIGEST) == "https://f.test/layer?s=1"


async def test_foreign_url_gets_no_header_and_no_answer_to_its_challenge() -> None:
    with FakeRegistry(auth="bearer") as store:
        foreign = Endpoint(
            url=f"{store.url}/v2/x/blobs/{DIGEST}",
            is_origin=False,
            is_foreign=True,
            headers=(("x-key", "S3CR3T"),),
        )
        with pytest.raises(EndpointFailure) as caught:
            await call(foreign)
        assert caught.value.outcome.kind is FailureKind.UNAUTHORISED
        assert [request.path for request in store.requests] == [f"/v2/x/blobs/{DIGEST}"]
        assert "x-key" not in store.requests[0].headers


async def test_answer_tells_how_long_to_wait() -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", status=429, headers=(("Retry-After", "7"),)))
        with pytest.raises(EndpointFailure) as caught:
            await call(Endpoint(url=f"{registry.url}/v2", is_origin=True))
        outcome = caught.value.outcome
        assert (outcome.kind, outcome.retry_after) == (FailureKind.THROTTLED, 7.0)


async def test_endless_error_body_is_cut() -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", status=500, body=b"x" * 1_000_000))
        with pytest.raises(EndpointFailure) as caught:
            await call(Endpoint(url=f"{registry.url}/v2", is_origin=True))
        assert caught.value.outcome.text == "500"


async def call(endpoint: Endpoint) -> None:
    limits = TransportLimits(connect=20.0, first_byte=20.0, window=20.0)
    async with HttpTransport(proxy=ProxyRules(), user_agent="t", limits=limits) as transport:
        caller = EndpointCaller(transport, AuthorizationSource(transport))
        url = blob_url(endpoint, REFERENCE, DIGEST)
        async with caller.get(endpoint, url, reference=REFERENCE, credential=None):
            pass
