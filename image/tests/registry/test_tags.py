"""All tags of a repository are listed, over pages and within limits."""

import pytest

from image.errors import FailedPrecondition, ImageError, NotFound
from image.model.reference import parse_reference
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.registry.conftest import MakeClient

LAYER = layer_of({})


async def list_tags(make_client: MakeClient, registry: FakeRegistry) -> tuple[str, ...]:
    async with make_client() as client:
        reference = parse_reference(f"{registry.host}/team/app")
        return await client.list_tags(reference, auth=None)


@pytest.mark.parametrize("page_size", [0, 1, 2])
async def test_tags_of_all_pages_are_listed(make_client: MakeClient, page_size: int) -> None:
    with FakeRegistry(auth="bearer") as registry:
        for tag in ("v1", "v2", "v3"):
            registry.push_image("team/app", tag, layers=[LAYER])
        registry.routes.page_size = page_size
        assert await list_tags(make_client, registry) == ("v1", "v2", "v3")


async def test_listing_is_retried(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="reset", on="tags", at_byte=3))
        assert await list_tags(make_client, registry) == ("v1",)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "not a JSON object"),
        (b'{"tags":["../x"]}', "has the tag"),
        (b'{"tags":[1]}', "must be text"),
        (b" " * (4 * 1024 * 1024 + 1), "a page has over"),
    ],
)
async def test_page_that_is_no_list_of_tags_is_refused(
    make_client: MakeClient, body: bytes, words: str
) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="replace_body", on="tags", body=body))
        with pytest.raises(ImageError, match=words):
            await list_tags(make_client, registry)


async def test_pages_of_another_server_are_not_followed(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        link = (("Link", '<https://evil.test/v2/x>; rel="next"'),)
        registry.add_fault(
            Fault(kind="status", on="tags", status=200, headers=link, body=b'{"tags":[]}')
        )
        with pytest.raises(FailedPrecondition, match="another server"):
            await list_tags(make_client, registry)


async def test_page_that_leads_to_itself_ends_the_list(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        link = (("Link", '</v2/team/app/tags/list>; rel="next"'),)
        registry.add_fault(
            Fault(kind="status", on="tags", status=200, headers=link, body=b'{"tags":["a"]}')
        )
        assert await list_tags(make_client, registry) == ("a",)


async def test_endless_list_is_refused(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        names = ",".join(f'"t{number}"' for number in range(10_001)).encode()
        registry.add_fault(Fault(kind="replace_body", on="tags", body=b'{"tags":[' + names + b"]}"))
        with pytest.raises(FailedPrecondition, match="more than 10000"):
            await list_tags(make_client, registry)


async def test_unknown_repository_is_told(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", on="tags", status=404))
        with pytest.raises(NotFound):
            await list_tags(make_client, registry)
