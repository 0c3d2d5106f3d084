"""Blobs arrive whole and right, or not at all."""

import contextlib
import hashlib

import pytest

from image.errors import (
    FailedPrecondition,
    ImageError,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from image.model.descriptor import Descriptor
from image.model.media_types import OCI_MANIFEST
from image.model.platform import parse_platform
from image.model.reference import parse_reference
from image.registry.client import RegistryClient
from image.registry.resolved_image import ResolvedImage
from image.tests.fakes.fake_registry import FakeRegistry, Fault, PushedLayer, layer_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.registry.conftest import MakeClient, WriteHosts

BIG = layer_of({"data": bytes(range(256)) * 4000}, compress=False)
MIDDLE = len(BIG.blob) // 2


async def resolve(
    client: RegistryClient, registry: FakeRegistry, layer: PushedLayer = BIG
) -> ResolvedImage:
    registry.push_image("team/app", "v1", layers=[layer])
    reference = parse_reference(f"{registry.host}/team/app:v1")
    return await client.resolve(reference, platform=parse_platform("linux/amd64"), auth=None)


async def read(
    client: RegistryClient,
    image: ResolvedImage,
    *,
    layer: Descriptor | None = None,
    offset: int = 0,
) -> bytes:
    stream = client.download(image, layer or image.layers[0], offset=offset)
    async with contextlib.aclosing(stream):
        return b"".join([piece async for piece in stream])


async def fail(client: RegistryClient, image: ResolvedImage, *, offset: int = 0) -> ImageError:
    with pytest.raises(ImageError) as caught:
        await read(client, image, offset=offset)
    return caught.value


async def test_layer_arrives_byte_for_byte(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            assert await read(client, image) == BIG.blob
        assert registry.violations == []


async def test_empty_blob_arrives(make_client: MakeClient) -> None:
    empty = PushedLayer(blob=b"", tar=b"")
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry, empty)
            assert await read(client, image) == b""


@pytest.mark.parametrize("kind", ["reset", "short_body", "lying_length"])
async def test_broken_transfer_goes_on_from_the_byte_reached(
    make_client: MakeClient, kind: str
) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            at_byte = 0 if kind == "lying_length" else MIDDLE
            if kind == "reset":
                registry.add_fault(Fault(kind="reset", at_byte=at_byte))
            else:
                registry.add_fault(Fault(kind="short_body", at_byte=at_byte))
            assert await read(client, image) == BIG.blob
        ranges = [r.headers.get("range", "") for r in registry.seen("/blobs/")]
        assert len(ranges) == 2
        assert not ranges[0]


async def test_short_bodies_are_resumed_exactly(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            for count in (1000, 500, 2000, 1):
                registry.add_fault(Fault(kind="short_body", at_byte=count))
            assert await read(client, image) == BIG.blob
        ranges = [r.headers.get("range", "") for r in registry.seen("/blobs/")]
        assert ranges == ["", "bytes=1000-", "bytes=1500-", "bytes=3500-", "bytes=3501-"]


async def test_end_that_nobody_announced_is_noticed(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="short_unannounced", at_byte=MIDDLE))
            assert await read(client, image) == BIG.blob
        ranges = [r.headers.get("range", "") for r in registry.seen("/blobs/")]
        assert ranges == ["", f"bytes={MIDDLE}-"]


async def test_stalled_transfer_is_given_up_and_resumed(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client(stall=0.5) as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="stall", at_byte=10))
            assert await read(client, image) == BIG.blob


async def test_five_broken_transfers_end_the_download(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="short_body", at_byte=10, times=-1))
            error = await fail(client, image)
        assert isinstance(error, Unavailable)
        assert error.reason == "RegistryUnavailable"
        assert len(registry.seen("/blobs/")) == 5


@pytest.mark.parametrize("fault", ["ignore_range", "wrong_range"])
async def test_unexpected_range_answer_never_damages_the_blob(
    make_client: MakeClient, fault: str
) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="short_body", at_byte=MIDDLE))
            if fault == "ignore_range":
                registry.add_fault(Fault(kind="ignore_range"))
            else:
                registry.add_fault(Fault(kind="wrong_range"))
            assert await read(client, image) == BIG.blob


async def test_reader_can_go_on_from_an_offset(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            assert await read(client, image, offset=MIDDLE) == BIG.blob[MIDDLE:]
            assert await read(client, image, offset=len(BIG.blob)) == b""
            for offset in (-1, len(BIG.blob) + 1):
                assert isinstance(await fail(client, image, offset=offset), InvalidArgument)


async def test_offset_with_its_hash_is_judged_here(make_client: MakeClient) -> None:
    head = BIG.blob[:MIDDLE]
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            stream = client.download(
                image, image.layers[0], offset=MIDDLE, known=hashlib.sha256(head)
            )
            assert b"".join([piece async for piece in stream]) == BIG.blob[MIDDLE:]
            for known, offset in ((b"x" + head[1:], MIDDLE), (b"x" + BIG.blob[1:], len(BIG.blob))):
                wrong = hashlib.sha256(known)
                with pytest.raises(FailedPrecondition, match="DigestMismatchRestart"):
                    async for _ in client.download(
                        image, image.layers[0], offset=offset, known=wrong
                    ):
                        pass


async def test_wrong_byte_is_final_after_a_clean_transfer(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="wrong_bytes", at_byte=MIDDLE))
            error = await fail(client, image)
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "DigestMismatch"
        assert len(registry.seen("/blobs/")) == 1


async def test_wrong_byte_after_a_resumed_transfer_asks_for_a_restart(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="short_body", at_byte=MIDDLE))
            registry.add_fault(Fault(kind="wrong_bytes", at_byte=1))
            error = await fail(client, image)
            assert isinstance(error, FailedPrecondition)
            assert error.reason == "DigestMismatchRestart"
            assert await read(client, image) == BIG.blob


@pytest.mark.parametrize("kind", ["extra_bytes", "lying_length", "replace_body"])
async def test_blob_of_another_size_is_refused(make_client: MakeClient, kind: str) -> None:
    faults = {
        "extra_bytes": Fault(kind="extra_bytes", at_byte=1),
        "lying_length": Fault(kind="lying_length", at_byte=2**62),
        "replace_body": Fault(kind="replace_body", body=BIG.blob[:-1]),
    }
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(faults[kind])
            error = await fail(client, image)
        assert isinstance(error, FailedPrecondition)
        assert error.reason == "SizeMismatch"


async def test_unknown_blob_is_not_retried(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.routes.repository("team/app").blobs.clear()
            error = await fail(client, image)
        assert isinstance(error, NotFound)
        assert len(registry.seen("/blobs/")) == 1


async def test_next_endpoint_continues_where_the_mirror_broke(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        mirror.push_image("team/app", "v1", layers=[BIG])
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            image = await resolve(client, origin)
            mirror.add_fault(Fault(kind="short_body", at_byte=1234))
            assert await read(client, image) == BIG.blob
        assert [r.headers["range"] for r in origin.seen("/blobs/")] == ["bytes=1234-"]


async def test_mirror_that_lied_is_not_asked_again_for_the_blob(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        mirror.push_image("team/app", "v1", layers=[BIG])
        mirror.add_fault(Fault(kind="wrong_bytes", at_byte=0, times=-1))
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            image = await resolve(client, origin)
            error = await fail(client, image)
            assert error.reason == "DigestMismatchRestart"
            assert mirror.url in str(error)
            assert await read(client, image) == BIG.blob


async def test_security_c1_redirected_blob_is_fetched_without_our_token(
    make_client: MakeClient,
) -> None:
    with FakeRegistry(auth="bearer") as registry, FakeRegistry() as store:
        store.push_blob("store", BIG.blob)
        async with make_client() as client:
            image = await resolve(client, registry)
            target = f"{store.url}/v2/store/blobs/{BIG.digest}?X-Signature=S3CR3T%2Fx"
            registry.add_fault(Fault(kind="redirect", location=target))
            assert await read(client, image) == BIG.blob
        (request,) = store.requests
        assert "authorization" not in request.headers
        assert request.query == "X-Signature=S3CR3T%2Fx"


async def test_redirects_within_the_registry_keep_the_token(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.push_image("other", "v1", layers=[BIG])
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(
                Fault(kind="redirect", location=f"/v2/team/app/blobs/{BIG.digest}?again=1")
            )
            assert await read(client, image) == BIG.blob


async def test_redirect_without_end_is_refused(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="redirect", location="?x", times=-1))
            error = await fail(client, image)
        assert "redirected more than 5 times" in str(error)


async def test_security_c1_redirect_to_metadata_service_is_refused(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="redirect", location="http://169.254.169.254/x?S3CR3T"))
            error = await fail(client, image)
        assert isinstance(error, FailedPrecondition)
        assert "169.254.169.254" in str(error)
        assert "S3CR3T" not in str(error)


async def test_security_c1_challenge_of_a_redirect_target_is_not_answered(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry, FakeRegistry(auth="bearer") as store:
        store.push_blob("store", BIG.blob)
        async with make_client() as client:
            image = await resolve(client, registry)
            location = f"{store.url}/v2/store/blobs/{BIG.digest}"
            registry.add_fault(Fault(kind="redirect", location=location))
            error = await fail(client, image)
        assert f"{registry.url} -> {store.url}" in str(error)
        assert store.seen("/token") == []


async def test_foreign_layer_with_unusable_urls_comes_from_the_registry(
    make_client: MakeClient,
) -> None:
    foreign = PushedLayer(
        blob=BIG.blob,
        tar=BIG.tar,
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar",
    )
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry, foreign)
            assert await read(client, image) == BIG.blob


async def test_config_is_verified(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            config = await client.fetch_config(image)
            assert config == registry.routes.repository("team/app").blobs[image.config.digest]
            registry.add_fault(Fault(kind="wrong_bytes", at_byte=0))
            with pytest.raises(FailedPrecondition, match="digest"):
                await client.fetch_config(image)


async def test_config_that_was_joined_wrongly_is_fetched_again(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            registry.add_fault(Fault(kind="short_body", at_byte=5))
            registry.add_fault(Fault(kind="wrong_bytes", at_byte=0))
            assert await client.fetch_config(image)


async def test_security_b4_config_larger_than_the_limit_is_not_even_asked_for(
    make_client: MakeClient,
) -> None:
    manifest = json_bytes(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "", "digest": BIG.digest, "size": 2**62},
            "layers": [],
        }
    )
    with FakeRegistry() as registry:
        registry.push_manifest("team/app", "v1", manifest, OCI_MANIFEST)
        async with make_client() as client:
            reference = parse_reference(f"{registry.host}/team/app:v1")
            image = await client.resolve(
                reference, platform=parse_platform("linux/amd64"), auth=None
            )
            with pytest.raises(FailedPrecondition) as caught:
                await client.fetch_config(image)
        assert caught.value.reason == "TooLarge"
        assert registry.seen("/blobs/") == []


async def test_reader_may_stop_early(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            image = await resolve(client, registry)
            async with contextlib.aclosing(client.download(image, image.layers[0])) as stream:
                assert await anext(stream)
