"""The list of referrers is asked of whoever has the API, page by page, and of nobody for ever."""

import pytest

from image.errors import Unavailable
from image.model.digest import Digest, sha256_digest
from image.model.media_types import OCI_INDEX, OCI_MANIFEST
from image.model.reference import parse_reference
from image.tests.fakes.fake_registry import FakeRegistry, Fault
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.registry.conftest import MakeClient, WriteHosts

DIGEST = sha256_digest(b"signed")


def refer(registry: FakeRegistry, number: int) -> Digest:
    document = {
        "schemaVersion": 2,
        "artifactType": f"type/{number}",
        "config": {"mediaType": "x", "digest": DIGEST, "size": 1},
        "layers": [],
        "subject": {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1},
    }
    registry.routes.has_referrers = True
    return registry.push_manifest("team/app", "", json_bytes(document), OCI_MANIFEST)


async def listed(make_client: MakeClient, registry: FakeRegistry) -> set[str] | None:
    reference = parse_reference(f"{registry.host}/team/app:v1")
    async with make_client() as client:
        found = await client.list_referrers(reference, DIGEST, auth=None)
    return None if found is None else {one.digest for one in found}


@pytest.mark.parametrize("page_size", [0, 1])
async def test_all_pages_are_listed(make_client: MakeClient, page_size: int) -> None:
    with FakeRegistry(auth="bearer") as registry:
        digests = {refer(registry, number) for number in range(3)}
        registry.routes.page_size = page_size
        assert await listed(make_client, registry) == digests
        assert registry.violations == []


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_registry_without_the_api_is_told_from_one_that_lists_nothing(
    make_client: MakeClient, status: int
) -> None:
    with FakeRegistry() as registry:
        registry.routes.has_referrers = True
        assert await listed(make_client, registry) == set()
        registry.add_fault(Fault(kind="status", on="referrers", status=status))
        assert await listed(make_client, registry) is None


async def test_trouble_is_not_taken_for_an_empty_list(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        refer(registry, 1)
        registry.add_fault(Fault(kind="status", on="referrers", status=503, times=-1))
        with pytest.raises(Unavailable, match="referrers of"):
            await listed(make_client, registry)


async def test_mirror_that_lists_nothing_leads_on_to_the_origin(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as registry, FakeRegistry() as mirror:
        mirror.routes.has_referrers = True
        digest = refer(registry, 1)
        write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        assert await listed(make_client, registry) == {digest}
        assert len(mirror.requests) == 1


@pytest.mark.parametrize(
    "body", [b"no JSON", b'{"schemaVersion": 2, "layers": []}', b" " * (4 * 1024 * 1024 + 1)]
)
async def test_answer_that_is_no_index_is_no_list(make_client: MakeClient, body: bytes) -> None:
    with FakeRegistry() as registry:
        refer(registry, 1)
        registry.add_fault(Fault(kind="replace_body", on="referrers", body=body))
        assert await listed(make_client, registry) is None


async def test_list_without_end_is_cut(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        refer(registry, 1)
        body = json_bytes({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
        for number in range(30):
            link = (("Content-Type", OCI_INDEX), ("Link", f'<?from={number}>; rel="next"'))
            fault = Fault(kind="status", on="referrers", status=200, headers=link, body=body)
            registry.add_fault(fault)
        assert await listed(make_client, registry) == set()
        assert len(registry.seen("/referrers/")) == 16
