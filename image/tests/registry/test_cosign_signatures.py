"""Signatures are found where cosign keeps them, and nothing else is taken for one."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.errors import Unavailable
from image.model.digest import Digest, sha256_digest
from image.model.media_types import OCI_INDEX, OCI_MANIFEST
from image.model.reference import parse_reference
from image.policy.signature_payload import SIMPLE_SIGNING, SignedPayload, signature_tag
from image.registry.cosign_signatures import fetch_signatures
from image.tests.fakes.fake_registry import FakeRegistry, Fault, descriptor_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.policy.signing import payload_of, push_signature, sign
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


async def test_registry_in_trouble_is_not_taken_for_unsigned(make_client: MakeClient) -> None:
    with FakeRegistry() as registry:
        registry.add_fault(Fault(kind="status", on="manifest", status=503, times=-1))
        with pytest.raises(Unavailable):
            await fetch(make_client, registry)
