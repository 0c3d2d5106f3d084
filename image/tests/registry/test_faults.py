"""Every fault that registries are known for, met by one image: it arrives whole, or the error says what is wrong."""

import contextlib
from dataclasses import dataclass

import pytest

from image.errors import ImageError
from image.model.digest import sha256_digest
from image.model.media_types import OCI_INDEX
from image.model.platform import parse_platform
from image.model.reference import parse_reference
from image.protocol.retry_policy import RetryPolicy
from image.registry.client import RegistryClient
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.registry.conftest import MakeClient

LAYER = layer_of({"noise": bytes(range(256)) * 40}, compress=False)
AMD64 = parse_platform("linux/amd64")
CHALLENGE = (("WWW-Authenticate", 'Bearer realm="{url}/token",service="fake"'),)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault, what comes of it, and how many requests it may cost."""

    fault: Fault
    words: str = ""
    """Of the error; empty when the image arrives all the same."""
    most: int = 2
    """Requests to the place of the fault."""


CASES = {
    "reset at a byte of a layer": Case(fault=Fault(kind="reset", at_byte=5000)),
    "reset before the manifest": Case(fault=Fault(kind="reset", on="manifest")),
    "reset for ever": Case(
        fault=Fault(kind="reset", on="manifest", times=-1), words="connection broke|closed", most=3
    ),
    "one byte now and then": Case(
        fault=Fault(kind="drip", times=-1), words="in 0.5 s, less than 1024 bytes/s", most=3
    ),
    "stall after the headers": Case(fault=Fault(kind="stall")),
    "stall for ever": Case(
        fault=Fault(kind="stall", times=-1), words="no byte arrived for 0.5 s", most=3
    ),
    "wrong digest of a layer": Case(
        fault=Fault(kind="wrong_bytes", at_byte=600), words="sha256 digest", most=1
    ),
    "wrong digest of a manifest": Case(
        fault=Fault(kind="wrong_bytes", on="manifest", at_byte=9), words="does not have its digest"
    ),
    "short body": Case(fault=Fault(kind="short_body", at_byte=700)),
    "short body without a length": Case(fault=Fault(kind="short_unannounced", at_byte=700)),
    "length that is too long": Case(
        fault=Fault(kind="lying_length", at_byte=5), words="blob is not of", most=1
    ),
    "more than the length": Case(
        fault=Fault(kind="extra_bytes", at_byte=5), words="blob is not of", most=1
    ),
    "chunks without a length": Case(fault=Fault(kind="chunked"), most=1),
    "manifest in chunks": Case(fault=Fault(kind="chunked", on="manifest"), most=1),
    "server of HTTP/1.0": Case(fault=Fault(kind="http_1_0", on="manifest", times=-1), most=1),
    "layer over HTTP/1.0": Case(fault=Fault(kind="http_1_0"), most=1),
    "kept connection that is closed": Case(
        fault=Fault(kind="close_after", on="manifest", times=-1), most=1
    ),
    "coding that is the blob's own": Case(
        fault=Fault(kind="add_headers", headers=(("Content-Encoding", "gzip"),)), most=1
    ),
    "too many requests without a time": Case(
        fault=Fault(kind="status", on="manifest", status=429, times=2), most=3
    ),
    "too many requests until a date": Case(
        fault=Fault(
            kind="status",
            on="manifest",
            status=429,
            headers=(("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"),),
        ),
    ),
    "too many requests": Case(
        fault=Fault(kind="status", on="manifest", status=429, headers=(("Retry-After", "0"),))
    ),
    "too many requests for long": Case(
        fault=Fault(kind="status", on="manifest", status=429, headers=(("Retry-After", "900"),)),
        words="limits the rate",
        most=1,
    ),
    "401 again and again": Case(
        fault=Fault(kind="status", on="manifest", status=401, headers=CHALLENGE, times=-1),
        words="refused access",
    ),
    "500 once": Case(fault=Fault(kind="status", on="manifest", status=500)),
    "503 for ever": Case(
        fault=Fault(kind="status", on="manifest", status=503, times=-1),
        words=r"503 \(3 times",
        most=3,
    ),
    "redirect circle": Case(
        fault=Fault(kind="redirect", location="{url}{path}", times=-1),
        words="redirected more than 5 times",
        most=6,
    ),
    "redirect to metadata": Case(
        fault=Fault(kind="redirect", location="http://169.254.169.254/x"),
        words="registries may not name",
        most=1,
    ),
    "huge manifest": Case(
        fault=Fault(kind="replace_body", on="manifest", body=b" " * (4 * 1024 * 1024 + 1)),
        words="larger than 4194304 bytes",
        most=1,
    ),
    "deep nesting of JSON": Case(
        fault=Fault(kind="replace_body", on="manifest", body=b"[" * 100_000),
        words="does not have its digest|nested deeper",
        most=1,
    ),
    "web page": Case(
        fault=Fault(kind="replace_body", on="manifest", body=b"<html>log in</html>"),
        words="does not have its digest|not strict JSON",
        most=1,
    ),
}


async def fetch(client: RegistryClient, name: str) -> bytes:
    image = await client.resolve(parse_reference(name), platform=AMD64, auth=None)
    async with contextlib.aclosing(client.download(image, image.layers[0])) as pieces:
        return b"".join([piece async for piece in pieces])


def placed(fault: Fault, registry: FakeRegistry) -> Fault:
    """Put the registry's address where the fault has `{url}`."""
    path = f"/v2/team/app/blobs/{LAYER.digest}"
    values = {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
    values["headers"] = tuple((n, v.replace("{url}", registry.url)) for n, v in fault.headers)
    values["location"] = fault.location.format(url=registry.url, path=path)
    values["only"] = LAYER.digest if fault.on == "blob" else ""
    return Fault(**values)


@pytest.mark.parametrize("name", CASES)
async def test_fault_is_survived_or_told(make_client: MakeClient, name: str) -> None:
    case = CASES[name]
    with FakeRegistry() as registry:
        image = registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(placed(case.fault, registry))
        client = make_client(
            stall=0.5 if case.fault.kind in ("drip", "stall") else 20.0,
            retry=RetryPolicy(first_wait=0.0, max_attempts=3),
        )
        async with client:
            if case.words:
                with pytest.raises(ImageError, match=case.words):
                    await fetch(client, f"{image.name}:v1")
            else:
                assert await fetch(client, f"{image.name}:v1") == LAYER.blob
        place = LAYER.digest if case.fault.on == "blob" else "/manifests/"
        assert 1 <= len(registry.seen(place)) <= case.most
        assert registry.violations == []


@pytest.mark.parametrize("kind", ["ignore_range", "wrong_range"])
async def test_wrong_answer_to_a_range_never_damages_the_layer(
    make_client: MakeClient, kind: str
) -> None:
    with FakeRegistry() as registry:
        image = registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="short_body", at_byte=700, only=LAYER.digest))
        registry.add_fault(Fault(kind=kind, only=LAYER.digest))  # type: ignore[arg-type]
        async with make_client() as client:
            assert await fetch(client, f"{image.name}:v1") == LAYER.blob


async def test_indexes_in_indexes_end_somewhere(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        below = registry.push_image("team/app", "", layers=[LAYER]).manifest
        media_type = "application/vnd.oci.image.manifest.v1+json"
        for depth in range(6):
            entry = {"mediaType": media_type, "digest": sha256_digest(below), "size": len(below)}
            below = json_bytes({"schemaVersion": 2, "manifests": [entry]})
            media_type = OCI_INDEX
            registry.push_manifest("team/app", f"depth{depth}", below, media_type)
        async with make_client() as client:
            assert await fetch(client, f"{registry.host}/team/app:depth1") == LAYER.blob
            with pytest.raises(ImageError, match="index of indexes"):
                await fetch(client, f"{registry.host}/team/app:depth5")
