"""A reference becomes one verified manifest, or an error that says why not."""

import json

import pytest

from image.errors import (
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from image.model.digest import sha256_digest
from image.model.media_types import (
    DOCKER_MANIFEST_LIST,
    DOCKER_SCHEMA1_SIGNED,
    OCI_INDEX,
    OCI_MANIFEST,
)
from image.model.platform import Platform, parse_platform
from image.model.reference import Reference, parse_reference
from image.tests.fakes.fake_registry import FakeRegistry, Fault, layer_of
from image.tests.fakes.fake_registry.content import json_bytes, manifest_of
from image.tests.registry.conftest import MakeClient, WriteHosts

AMD64 = parse_platform("linux/amd64")
LAYER = layer_of({"etc/motd": b"hello"})


def reference_to(registry: FakeRegistry, rest: str = "team/app:v1") -> Reference:
    return parse_reference(f"{registry.host}/{rest}")


async def test_tag_resolves_to_the_digest_of_the_bytes(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "v1", layers=[LAYER])
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.manifest_digest == image.target_digest == pushed.digest
        assert image.manifest_bytes == pushed.manifest
        assert image.config.digest == pushed.config_digest
        assert [layer.digest for layer in image.layers] == [LAYER.digest]
        assert image.endpoint_url == registry.url
        assert registry.violations == []


async def test_docker_schema2_is_understood(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "v1", layers=[LAYER], docker=True)
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_MANIFEST_LIST])
async def test_index_leads_to_the_manifest_of_the_platform(
    make_client: MakeClient, media_type: str
) -> None:
    with FakeRegistry() as registry:
        wanted = registry.push_image("team/app", "", layers=[LAYER])
        other = registry.push_image("team/app", "", layers=[])
        index = registry.push_index(
            "team/app",
            "v1",
            [
                (other, {"os": "linux", "architecture": "arm64"}),
                (wanted, {"os": "linux", "architecture": "amd64"}),
                (wanted, {"os": "linux", "architecture": "amd64"}),
            ],
            media_type=media_type,
        )
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.target_digest == sha256_digest(index)
        assert image.manifest_digest == wanted.digest


async def test_missing_platform_tells_what_there_is(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "", layers=[LAYER])
        registry.push_index("team/app", "v1", [(pushed, {"os": "linux", "architecture": "s390x"})])
        async with make_client() as client:
            with pytest.raises(NotFound, match="no matching manifest for linux/amd64") as caught:
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert "linux/s390x" in str(caught.value)
        assert str(reference_to(registry)) in str(caught.value)


async def test_index_below_an_index_is_followed_but_not_for_ever(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        content = registry.push_image("team/app", "", layers=[LAYER]).manifest
        media_type = OCI_MANIFEST
        for depth in range(4):
            entry = {
                "mediaType": media_type,
                "digest": sha256_digest(content),
                "size": len(content),
            }
            media_type = OCI_INDEX
            content = json_bytes(
                {"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}
            )
            registry.push_manifest("team/app", f"depth{depth}", content, media_type)
        async with make_client() as client:
            reference = reference_to(registry, "team/app:depth2")
            assert (await client.resolve(reference, platform=AMD64, auth=None)).layers
            with pytest.raises(FailedPrecondition, match="index of indexes"):
                await client.resolve(
                    reference_to(registry, "team/app:depth3"), platform=AMD64, auth=None
                )


async def test_security_b2_other_bytes_for_a_pinned_digest_are_refused_before_parsing(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="replace_body", on="manifest", body=b"[[[[", times=-1))
        async with make_client() as client:
            reference = reference_to(registry, f"team/app@{pushed.digest}")
            with pytest.raises(FailedPrecondition, match="does not have its digest") as caught:
                await client.resolve(reference, platform=AMD64, auth=None)
        assert caught.value.reason == "DigestMismatch"


async def test_digest_header_that_differs_from_the_bytes_is_refused(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(Fault(kind="wrong_bytes", on="manifest", at_byte=3, times=-1))
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match="was promised"):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)


@pytest.mark.parametrize("header", ["sha256:../../x", "md5:00"])
async def test_digest_header_that_is_no_digest_is_refused(
    make_client: MakeClient, header: str
) -> None:
    with FakeRegistry() as registry:
        answer = (("Docker-Content-Digest", header), ("Content-Type", OCI_MANIFEST))
        registry.add_fault(Fault(kind="status", on="manifest", status=200, headers=answer))
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match="no digest"):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)


async def test_answer_without_digest_header_is_hashed(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "v1", layers=[LAYER])
        answer = (("Content-Type", "text/plain; charset=utf-8"),)
        registry.add_fault(
            Fault(kind="status", on="manifest", status=200, headers=answer, body=pushed.manifest)
        )
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest


async def test_security_b4_huge_manifest_is_refused(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.push_image("team/app", "v1", layers=[LAYER])
        body = b" " * (4 * 1024 * 1024 + 1)
        registry.add_fault(Fault(kind="replace_body", on="manifest", body=body, times=-1))
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match="larger than 4194304 bytes"):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)


async def test_unknown_manifest_is_final_at_the_origin(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        async with make_client() as client:
            with pytest.raises(NotFound, match="MANIFEST_UNKNOWN"):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert len(registry.requests) == 1


async def test_unreachable_registry_is_told_as_such(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        reference = reference_to(registry)
    async with make_client() as client:
        with pytest.raises(Unavailable, match="cannot connect") as caught:
            await client.resolve(reference, platform=AMD64, auth=None)
    assert caught.value.reason == "RegistryUnavailable"
    assert len(caught.value.details) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_trouble_is_retried(make_client: MakeClient, status: int) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "v1", layers=[LAYER])
        registry.add_fault(
            Fault(
                kind="status",
                on="manifest",
                status=status,
                headers=(("Retry-After", "0"),),
                times=4,
            )
        )
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest
        assert len(registry.requests) == 5


async def test_lasting_trouble_ends_after_five_attempts(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", on="manifest", status=429, times=-1))
        async with make_client() as client:
            with pytest.raises(Unavailable) as caught:
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert caught.value.reason == "RegistryThrottled"
        assert len(registry.requests) == 5


async def test_server_that_wants_long_patience_is_not_asked_again(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(
            Fault(kind="status", on="manifest", status=429, headers=(("Retry-After", "3600"),))
        )
        async with make_client() as client:
            with pytest.raises(Unavailable):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert len(registry.requests) == 1


async def test_forbidden_is_told_as_permission(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        body = json.dumps({"errors": [{"code": "DENIED", "message": "no pull"}]}).encode()
        registry.add_fault(Fault(kind="status", on="manifest", status=403, body=body))
        async with make_client() as client:
            with pytest.raises(PermissionDenied, match="DENIED: no pull"):
                await client.resolve(reference_to(registry), platform=AMD64, auth=None)


async def test_schema1_is_refused_where_schema2_is_required(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.push_schema1("team/app", "v1", layers=[LAYER])
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match="not schema2"):
                await client.resolve(
                    reference_to(registry), platform=AMD64, auth=None, require_schema2=True
                )


@pytest.mark.parametrize("by", ["tag", "digest", "list"])
async def test_digest_of_signed_schema1_is_that_of_its_payload(
    make_client: MakeClient, by: str
) -> None:
    with FakeRegistry() as registry:
        raw, digest = registry.push_schema1("team/app", "v1", layers=[LAYER], signed=True)
        if by == "list":
            entry = {"mediaType": DOCKER_SCHEMA1_SIGNED, "digest": digest, "size": len(raw)}
            index = json_bytes({"schemaVersion": 2, "manifests": [entry]})
            registry.push_manifest("team/app", "v1", index, DOCKER_MANIFEST_LIST)
        name = f"team/app@{digest}" if by == "digest" else "team/app:v1"
        async with make_client() as client:
            image = await client.resolve(reference_to(registry, name), platform=AMD64, auth=None)
        assert digest != sha256_digest(raw)
        assert image.manifest_digest == digest == sha256_digest(image.manifest_bytes)
        assert image.schema1 is not None
        assert [layer.digest for layer in image.layers] == [LAYER.digest]


async def test_other_payload_for_a_pinned_schema1_digest_is_refused(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry:
        _, digest = registry.push_schema1("team/app", "v1", layers=[LAYER], signed=True)
        other, _ = registry.push_schema1("team/app", "v2", layers=[LAYER, LAYER], signed=True)
        registry.add_fault(Fault(kind="replace_body", on="manifest", body=other))
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match="does not have its digest"):
                await client.resolve(
                    reference_to(registry, f"team/app@{digest}"), platform=AMD64, auth=None
                )


async def test_index_entry_of_another_size_or_type_is_refused(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        pushed = registry.push_image("team/app", "", layers=[LAYER])
        for tag, media_type, size in (
            ("size", OCI_MANIFEST, len(pushed.manifest) + 1),
            ("type", OCI_INDEX, len(pushed.manifest)),
        ):
            entry = {"mediaType": media_type, "digest": pushed.digest, "size": size}
            index = json_bytes({"schemaVersion": 2, "manifests": [entry]})
            registry.push_manifest("team/app", tag, index, OCI_INDEX)
        async with make_client() as client:
            for tag, words in (("size", "its index says"), ("type", "its index says")):
                with pytest.raises(FailedPrecondition, match=words):
                    await client.resolve(
                        reference_to(registry, f"team/app:{tag}"), platform=AMD64, auth=None
                    )


async def test_index_entry_without_its_own_content_type_is_read_by_the_index(
    make_client: MakeClient,
) -> None:
    with FakeRegistry() as registry:
        manifest = manifest_of(b"{}", [LAYER])
        digest = registry.push_manifest("team/app", "", manifest, "application/json")
        entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(manifest)}
        index = json_bytes({"schemaVersion": 2, "manifests": [entry]})
        registry.push_manifest("team/app", "v1", index, OCI_INDEX)
        async with make_client() as client:
            image = await client.resolve(reference_to(registry), platform=AMD64, auth=None)
        assert image.manifest_digest == digest


async def test_mirror_is_asked_first_and_gets_the_namespace(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as mirror:
        pushed = mirror.push_image("library/app", "v1", layers=[LAYER])
        write_hosts("registry.test", f'[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n')
        async with make_client() as client:
            reference = parse_reference("registry.test/library/app:v1")
            image = await client.resolve(reference, platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest
        assert image.endpoint_url == mirror.url
        assert mirror.requests[0].query == "ns=registry.test"


@pytest.mark.parametrize("trouble", ["unknown", "broken", "garbage", "denied"])
async def test_failing_mirror_leads_on_to_the_origin(
    make_client: MakeClient, write_hosts: WriteHosts, trouble: str
) -> None:
    faults = {
        "broken": Fault(kind="reset", on="manifest"),
        "garbage": Fault(kind="status", on="manifest", status=200, body=b"<html>"),
        "denied": Fault(kind="status", on="manifest", status=403),
    }
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        pushed = origin.push_image("team/app", "v1", layers=[LAYER])
        if trouble in faults:
            mirror.push_image("team/app", "v1", layers=[LAYER])
            mirror.add_fault(faults[trouble])
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            image = await client.resolve(reference_to(origin), platform=AMD64, auth=None)
        assert image.manifest_digest == pushed.digest
        assert image.endpoint_url == origin.url
        assert len(mirror.requests) == 1


async def test_error_lists_every_endpoint(make_client: MakeClient, write_hosts: WriteHosts) -> None:
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        mirror.add_fault(Fault(kind="status", on="manifest", status=500, times=-1))
        write_hosts(origin.host, f'server = "{origin.url}"\n[host."{mirror.url}"]\n')
        async with make_client() as client:
            with pytest.raises(NotFound) as caught:
                await client.resolve(reference_to(origin), platform=AMD64, auth=None)
        assert [line.partition(": ")[0] for line in caught.value.details] == [
            mirror.url,
            origin.url,
        ]


async def test_mirror_for_pulls_alone_is_not_asked_what_a_tag_means(
    make_client: MakeClient, write_hosts: WriteHosts
) -> None:
    with FakeRegistry() as origin, FakeRegistry() as mirror:
        pushed = origin.push_image("team/app", "v1", layers=[LAYER])
        write_hosts(
            origin.host,
            f'server = "{origin.url}"\n[host."{mirror.url}"]\ncapabilities = ["pull"]\n',
        )
        async with make_client() as client:
            await client.resolve(reference_to(origin), platform=AMD64, auth=None)
            assert mirror.requests == []
            by_digest = reference_to(origin, f"team/app@{pushed.digest}")
            await client.resolve(by_digest, platform=AMD64, auth=None)
        assert len(mirror.requests) == 1


async def test_helm_chart_is_refused_by_class(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        document = json.loads(manifest_of(b"{}", []))
        document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
        registry.push_manifest("team/app", "v1", json_bytes(document), OCI_MANIFEST)
        async with make_client() as client:
            with pytest.raises(FailedPrecondition, match=r"\(helm chart\) when fetching"):
                await client.resolve(
                    reference_to(registry),
                    platform=Platform(os="linux", architecture="amd64"),
                    auth=None,
                )
