"""The fake registry is strict: what it lets through is what the distribution-spec lets through."""

import http.client
import json

import pytest

from image.model.media_types import OCI_MANIFEST
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of

LAYER = layer_of({"a": b"content of a file"})


def get(
    registry: FakeRegistry, path: str, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(registry.host, timeout=30)
    try:
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=lines)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_manifest_is_served_to_those_who_accept_its_type() -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("a", "v1", layers=[LAYER])
        status, headers, body = get(registry, "/v2/a/manifests/v1", Accept=OCI_MANIFEST)
        assert (status, body) == (200, pushed.manifest)
        assert headers["Docker-Content-Digest"] == pushed.digest
        status, _, body = get(registry, "/v2/a/manifests/v1", Accept="application/json")
        assert status == 404
        assert json.loads(body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize(
    ("wanted", "status", "content_range"),
    [
        ("bytes=0-", 206, "bytes 0-{last}/{size}"),
        ("bytes=2-3", 206, "bytes 2-3/{size}"),
        ("bytes=2-999999", 206, "bytes 2-{last}/{size}"),
        ("bytes={size}-", 416, "bytes */{size}"),
        ("lines=1-2", 200, None),
    ],
)
def test_ranges_are_those_of_rfc_9110(wanted: str, status: int, content_range: str | None) -> None:
    size = len(LAYER.blob)
    with FakeRegistry() as registry:
        digest = registry.push_blob("a", LAYER.blob)
        answer, headers, _ = get(registry, f"/v2/a/blobs/{digest}", Range=wanted.format(size=size))
    assert answer == status
    expected = content_range and content_range.format(size=size, last=size - 1)
    assert headers["Content-Range"] == expected


def test_token_of_another_repository_is_refused() -> None:
    with FakeRegistry(auth="bearer") as registry:
        for name in ("a", "b"):
            registry.push_image(name, "v1", layers=[LAYER])
        _, _, body = get(registry, "/token?service=fake&scope=repository:a:pull")
        bearer = f"Bearer {json.loads(body)['token']}"
        accept = {"Accept": OCI_MANIFEST, "Authorization": bearer}
        assert get(registry, "/v2/a/manifests/v1", **accept)[0] == 200
        status, headers, _ = get(registry, "/v2/b/manifests/v1", **accept)
        assert status == 401
        assert 'scope="repository:b:pull"' in headers["WWW-Authenticate"]


def test_token_request_without_service_or_scope_is_refused() -> None:
    with FakeRegistry(auth="bearer") as registry:
        assert get(registry, "/token?scope=x")[0] == 400
        assert get(registry, "/token?service=fake")[0] == 400


@pytest.mark.parametrize("path", ["/v2/", "/v2/A/tags/list", "/v2/a/blobs/md5:00", "/v1/x"])
def test_unknown_routes_are_refused(path: str) -> None:
    with FakeRegistry() as registry:
        assert get(registry, path)[0] == 404


def test_what_clients_do_wrong_is_recorded() -> None:
    with FakeRegistry() as registry:
        get(registry, "/v2/", Accept_Encoding="gzip")
        get(registry, "/v2/", Host="elsewhere.test", Accept_Encoding="identity")
        assert [line.partition(": ")[2] for line in registry.violations] == [
            "content coding was not excluded",
            "wrong Host elsewhere.test",
        ]


def test_fault_hits_as_often_as_it_says() -> None:
    with FakeRegistry() as registry:
        digest = registry.push_blob("a", LAYER.blob)
        registry.add_fault(Fault(kind="status", status=503, times=2, only=digest))
        path = f"/v2/a/blobs/{digest}"
        assert [get(registry, path)[0] for _ in range(3)] == [503, 503, 200]
