"""Signatures are found where cosign keeps them, and nothing else is taken for one."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.errors import FailedPrecondition, Unavailable
from image.model.digest import Digest, sha256_digest
from image.model.media_types import OCI_INDEX, OCI_MANIFEST
from image.model.reference import parse_reference
from image.policy.signature_payload import SIMPLE_SIGNING, SignedPayload, signature_tag
from image.registry.cosign_signatures import fetch_referring_signatures, fetch_signatures
from image.tests.fakes.fake_registry import FakeRegistry, Fault, descriptor_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.policy.signing import (
    bundle_of,
    payload_of,
    push_bundle,
    push_signature,
    sign,
    statement_of,
)
from image.tests.registry.conftest import MakeClient

KEY = ec.generate_private_key(ec.SECP256R1())
DIGEST = sha256_digest(b"manifest")


async def fetch(
    make_client: MakeClient, registry: FakeRegistry, digest: Digest = DIGEST
) -> tuple[SignedPayload, ...]:
    reference = parse_reference(f"{registry.host}/team/app:v1")
    async with make_client() as client:
        return await fetch_signatures(client, reference, digest, auth=None)


async def test_all_signatures_of_a_digest_are_found(make_client: MakeClient) -> None:
    with FakeRegistry(auth="bearer") as registry:
        signed = [sign(KEY, payload_of(DIGEST, name)) for name in ("a", "b")]
        push_signature(registry, "team/app", DIGEST, *signed)
        assert await fetch(make_client, registry) == tuple(signed)
        assert registry.violations == []


async def test_unsigned_digest_has_none(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        assert await fetch(make_client, registry) == ()
        assert await fetch(make_client, registry, Digest("sha512:" + "a" * 128)) == ()


@pytest.mark.parametrize("kind", ["index", "layer of another type", "no base64", "no annotation"])
async def test_other_content_under_the_tag_is_no_signature(
    make_client: MakeClient, kind: str
) -> None:
    payload = payload_of(DIGEST, "a")
    annotations = {"dev.cosignproject.cosign/signature": "!" if kind == "no base64" else "AAAA"}
    layer = descriptor_of(payload, "text/plain" if kind.startswith("layer") else SIMPLE_SIGNING)
    if kind != "no annotation":
        layer["annotations"] = annotations
    document: dict[str, object] = {"schemaVersion": 2, "manifests": []}
    if kind != "index":
        document = {"schemaVersion": 2, "config": descriptor_of(b"{}", "x"), "layers": [layer]}
    with FakeRegistry() as registry:
        registry.push_blob("team/app", payload)
        media_type = OCI_INDEX if kind == "index" else OCI_MANIFEST
        registry.push_manifest("team/app", signature_tag(DIGEST), json_bytes(document), media_type)
        assert await fetch(make_client, registry) == ()


async def referring(make_client: MakeClient, registry: FakeRegistry) -> list[bytes]:
    reference = parse_reference(f"{registry.host}/team/app:v1")
    async with make_client() as client:
        found = await fetch_referring_signatures(client, reference, DIGEST, auth=None)
    return [one.payload for one in found]


@pytest.mark.parametrize("has_api", [True, False], ids=["API", "tag"])
async def test_bundles_that_refer_to_a_digest_are_found(
    make_client: MakeClient, has_api: bool
) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.routes.has_referrers = has_api
        assert await referring(make_client, registry) == []
        statement = statement_of(DIGEST)
        push_bundle(registry, "team/app", DIGEST, bundle_of(KEY, statement))
        if has_api:  # an attestation by the same key costs no request
            annotations = {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}
            other = bundle_of(KEY, statement_of(DIGEST, predicateType="x"))
            push_bundle(registry, "team/app", DIGEST, other, annotations=annotations)
        assert await referring(make_client, registry) == [json.dumps(statement).encode()]
        assert registry.violations == []


async def test_older_form_is_found_as_a_referrer_too(make_client: MakeClient) -> None:
    signed = sign(KEY, payload_of(DIGEST, "a"))
    layer = descriptor_of(signed.payload, SIMPLE_SIGNING)
    text = base64.b64encode(signed.signature).decode()
    layer["annotations"] = {"dev.cosignproject.cosign/signature": text}
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    with FakeRegistry() as registry:
        registry.routes.has_referrers = True
        registry.push_blob("team/app", signed.payload)
        push_bundle(registry, "team/app", DIGEST, b"", artifactType=kind, layers=[layer])
        assert await referring(make_client, registry) == [signed.payload]


async def test_tag_that_holds_no_list_lists_nothing(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.push_image("team/app", DIGEST.replace(":", "-"), layers=[])
        assert await referring(make_client, registry) == []
        tag = DIGEST.replace(":", "-")
        registry.push_manifest("team/app", tag, b"no JSON", "application/json")
        with pytest.raises(FailedPrecondition, match="not strict JSON"):
            await referring(make_client, registry)


async def test_registry_in_trouble_is_not_taken_for_unsigned(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", on="manifest", status=503, times=-1))
        with pytest.raises(Unavailable):
            await fetch(make_client, registry)
