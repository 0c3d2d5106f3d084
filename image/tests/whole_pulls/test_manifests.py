"""Manifests of every kind, what is accepted of them, and in which order it is judged."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from image.errors import FailedPrecondition, NotFound, Unavailable
from image.model.digest import sha256_digest
from image.model.media_types import (
    DOCKER_MANIFEST_LIST,
    DOCKER_SCHEMA1_SIGNED,
    OCI_INDEX,
)
from image.tests.fakes.fake_registry import FakeRegistry, Fault, config_of, layer_of
from image.tests.fakes.fake_registry.content import json_bytes
from image.tests.policy.signing import (
    bundle_of,
    payload_of,
    push_bundle,
    push_signature,
    sign,
    statement_of,
    write_public,
)
from image.tests.whole_pulls.conftest import PullSite

LAYER = layer_of({"a": b"1"})
AMD64 = {"os": "linux", "architecture": "amd64"}


@pytest.mark.parametrize("kind", ["schema 1", "schema 2", "oci", "list", "index"])
async def test_every_kind_of_manifest_is_pulled(
    site: PullSite, registry: FakeRegistry, kind: str
) -> None:
    """Pull rule 1.4: the four kinds of manifest."""
    if kind == "schema 1":
        registry.push_schema1("team/app", "v1", layers=[LAYER], signed=True)
    else:
        docker = kind in ("schema 2", "list")
        image = registry.push_image("team/app", "v1", layers=[LAYER], docker=docker)
        if kind in ("list", "index"):
            media_type = DOCKER_MANIFEST_LIST if docker else OCI_INDEX
            registry.push_index("team/app", "v1", [(image, AMD64)], media_type=media_type)
    record = await site.pull(f"{registry.host}/team/app:v1")
    assert [layer.diff_id for layer in record.layers] == [LAYER.diff_id]


async def test_other_kinds_are_refused_by_their_media_type(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.4: anything else is refused by its media type."""
    registry.push_manifest("team/app", "v1", b"{}", "application/vnd.other+json")
    with pytest.raises(FailedPrecondition, match=r"unsupported manifest format.*vnd\.other"):
        await site.pull(f"{registry.host}/team/app:v1")


async def test_bytes_of_a_pinned_digest_are_checked_before_anything_else(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.5: the digest comes first."""
    image = registry.push_image("team/app", "v1", layers=[LAYER])
    registry.add_fault(Fault(kind="replace_body", on="manifest", body=b"not even JSON"))
    with pytest.raises(FailedPrecondition, match="does not have its digest"):
        await site.pull(f"{image.name}@{image.digest}")


async def test_digest_of_signed_schema1_is_that_of_its_payload(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.5: of schema 1 the payload is hashed."""
    raw, digest = registry.push_schema1("team/app", "v1", layers=[LAYER], signed=True)
    record = await site.pull(f"{registry.host}/team/app@{digest}")
    assert record.repo_digests == (f"{registry.host}/team/app@{digest}",)
    assert digest != sha256_digest(raw)


@pytest.mark.parametrize(
    ("media_type", "words"),
    [
        ("application/vnd.docker.plugin.v1+json", r"\(plugin\) when fetching"),
        ("application/vnd.cncf.helm.config.v1+json", r"\(helm chart\) when fetching"),
        ("application/octet-stream", ""),
        ("text/html", ""),
    ],
)
async def test_config_of_another_class_is_refused_by_name(
    site: PullSite, registry: FakeRegistry, media_type: str, words: str
) -> None:
    """Pull rule 1.6: config media types are an allow-list."""
    registry.push_image("team/app", "v1", layers=[LAYER], config_type=media_type)
    if not words:
        await site.pull(f"{registry.host}/team/app:v1")
        return
    with pytest.raises(FailedPrecondition, match=f"encountered remote.*{words}"):
        await site.pull(f"{registry.host}/team/app:v1")


async def test_schema1_is_pulled_with_a_notice_unless_schema2_is_required(
    site: PullSite, registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Pull rule 1.7: a notice, or a refusal by `require_schema2`."""
    registry.push_schema1("team/app", "v1", layers=[LAYER], signed=True)
    name = f"{registry.host}/team/app:v1"
    await site.pull(name)
    notice = f"{name} is of docker schema 1, a form that was retired"
    assert any(notice in status for status in site.statuses())
    assert notice in caplog.text
    site.use(require_schema2=True)
    await site.store.remove(name)
    with pytest.raises(FailedPrecondition, match="invalid manifest: not schema2"):
        await site.pull(name)


async def test_schema1_in_a_list_works_too(site: PullSite, registry: FakeRegistry) -> None:
    """Pull rule 1.7: schema 1 below a list."""
    raw, digest = registry.push_schema1("team/app", "", layers=[LAYER], signed=True)
    entry = {
        "mediaType": DOCKER_SCHEMA1_SIGNED,
        "digest": digest,
        "size": len(raw),
        "platform": AMD64,
    }
    document = json_bytes({"schemaVersion": 2, "manifests": [entry]})
    registry.push_manifest("team/app", "v1", document, DOCKER_MANIFEST_LIST)
    record = await site.pull(f"{registry.host}/team/app:v1")
    assert record.manifest_digest == digest
    assert record.repo_digests == (f"{registry.host}/team/app@{sha256_digest(document)}",)
    assert any("docker schema 1" in status for status in site.statuses())


async def test_schema1_becomes_the_same_image_on_every_node(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.8: schema 1 becomes an ordinary image."""
    layers = [LAYER, layer_of({"b": b"2"}), layer_of({"c": b"3"})]
    registry.push_schema1("team/app", "v1", layers=layers, signed=True)
    registry.push_schema1("team/app", "v2", layers=layers)
    one = await site.pull(f"{registry.host}/team/app:v1")
    two = await site.pull(f"{registry.host}/team/app:v2")
    assert one.id == two.id
    assert one.config.cmd == ("/bin/sh",)
    assert one.config.diff_ids == tuple(layer.diff_id for layer in layers)
    assert [layer.size_bytes for layer in one.layers] == [len(layer.blob) for layer in layers]


async def test_schema1_of_another_system_costs_no_layer(
    site: PullSite, registry: FakeRegistry
) -> None:
    registry.push_schema1("team/app", "v1", layers=[LAYER])
    with pytest.raises(FailedPrecondition, match='operating system "linux" when requesting "windo'):
        await site.pull(f"{registry.host}/team/app:v1", platform="windows/amd64")
    assert registry.seen("/blobs/") == []


async def test_best_entry_of_a_list_is_taken_and_a_missing_platform_is_told(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.9: the best entry for the platform."""
    entries = []
    for machine, variant in (("arm64", ""), ("arm", "v5"), ("arm", "v6"), ("arm", "v8")):
        config = config_of([LAYER], architecture=f"{machine}{variant}")
        image = registry.push_image("team/app", "", layers=[LAYER], config=config)
        platform = {"os": "linux", "architecture": machine, "variant": variant}
        entries.append((image, platform))
    registry.push_index("team/app", "v1", entries)
    name = f"{registry.host}/team/app:v1"
    assert (await site.pull(name, "linux/arm/v7")).config.architecture == "armv6"
    assert (await site.pull(name, "linux/arm64/v8")).config.architecture == "arm64"
    words = "no matching manifest for linux/amd64 in the manifest list entries.*linux/arm/v5"
    with pytest.raises(NotFound, match=words):
        await site.pull(name)


async def test_image_of_another_system_is_refused_before_any_layer(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.10: the system is checked before layers."""
    config = config_of([LAYER], os="windows")
    registry.push_image("team/app", "v1", layers=[LAYER], config=config)
    words = 'cannot download image with operating system "windows" when requesting "linux"'
    with pytest.raises(FailedPrecondition, match=words):
        await site.pull(f"{registry.host}/team/app:v1")
    assert registry.seen(LAYER.digest) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b'{"os": "linux", "architecture": "amd64"}', "has no `rootfs`"),
        (config_of([layer_of({"other": b"1"})]), "don't match image configuration"),
        (config_of([LAYER, LAYER]), "1 layers against 2 diff ids"),
    ],
)
async def test_config_that_does_not_name_the_layers_registers_nothing(
    site: PullSite, registry: FakeRegistry, config: bytes, words: str
) -> None:
    """Pull rule 1.13 and pull rule 1.14: layers must be the config's."""
    registry.push_image("team/app", "v1", layers=[LAYER], config=config)
    with pytest.raises(FailedPrecondition, match=words):
        await site.pull(f"{registry.host}/team/app:v1")
    assert site.store.list_images() == ()


async def test_config_bytes_are_checked_against_their_digest(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.13: configs are verified."""
    image = registry.push_image("team/app", "v1", layers=[LAYER])
    registry.add_fault(Fault(kind="wrong_bytes", at_byte=5, only=image.config_digest, times=-1))
    with pytest.raises(FailedPrecondition, match="error pulling image configuration"):
        await site.pull(f"{image.name}:v1")


async def test_security_b6_policy_decides_before_any_layer_is_fetched(
    site: PullSite, registry: FakeRegistry, tmp_path: Path
) -> None:
    """Security rule B6: the digest that is unpacked is the one that must be signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_public(key, tmp_path / "key.pub")
    (tmp_path / "policy.toml").write_text(
        f'[[rule]]\nprefix = "{registry.host}/team"\nrequire = "signed"\nkeys = ["key.pub"]\n'
        f'[[rule]]\nprefix = "{registry.host}/free"\nrequire = "accept"\n'
    )
    site.use(policy_path=str(tmp_path / "policy.toml"))
    image = registry.push_image("team/app", "v1", layers=[LAYER])
    registry.push_image("free/app", "v1", layers=[LAYER])
    registry.push_image("evil/app", "v1", layers=[LAYER])
    other = registry.push_image("team/app", "v0", layers=[layer_of({"other": b"1"})])
    signed = sign(key, payload_of(other.digest, image.name))
    push_signature(registry, "team/app", other.digest, signed)
    for name in (f"{registry.host}/evil/app:v1", f"{image.name}:v1"):
        with pytest.raises(FailedPrecondition) as caught:
            await site.pull(name)
        assert caught.value.reason == "SignatureValidationFailed"
    assert registry.seen(LAYER.digest) == []
    record = await site.pull(f"{image.name}:v0")
    assert record.id == other.config_digest
    good = sign(key, payload_of(image.digest, image.name))
    push_signature(registry, "team/app", image.digest, good)
    assert (await site.pull(f"{image.name}:v1")).id == image.config_digest
    assert (await site.pull(f"{registry.host}/free/app:v1")).id == image.config_digest


async def test_image_signed_by_cosign_3_is_accepted_by_its_referrer(
    site: PullSite, registry: FakeRegistry, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_public(key, tmp_path / "key.pub")
    (tmp_path / "policy.toml").write_text(
        f'[[rule]]\nprefix = "{registry.host}"\nrequire = "signed"\nkeys = ["key.pub"]\n'
        'identity = "any"\n'
    )
    site.use(policy_path=str(tmp_path / "policy.toml"))
    registry.routes.has_referrers = True
    image = registry.push_image("team/app", "v1", layers=[LAYER])
    with pytest.raises(FailedPrecondition, match="it is not signed"):
        await site.pull(f"{image.name}:v1")
    push_bundle(registry, "team/app", image.digest, bundle_of(key, statement_of(image.digest)))
    assert (await site.pull(f"{image.name}:v1")).id == image.config_digest


async def test_signed_image_by_digest_is_judged_again_when_the_policy_changed(
    site: PullSite, registry: FakeRegistry, tmp_path: Path
) -> None:
    image = registry.push_image("team/app", "v1", layers=[LAYER])
    for name in (f"{image.name}@{image.digest}", f"{image.name}:v1"):
        await site.pull(name)
        (tmp_path / "policy.toml").write_text('default = "reject"\n')
        site.use(policy_path=str(tmp_path / "policy.toml"))
        with pytest.raises(FailedPrecondition, match="rejects images without a rule"):
            await site.pull(name)
        site.use(policy_path="")


async def test_mirror_that_does_not_know_an_image_leads_on_and_all_are_told(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.22: a mirror leads on; all endpoints are told."""
    with FakeRegistry() as mirror:
        image = registry.push_image("team/app", "v1", layers=[LAYER])
        site.write_hosts(registry.host, f'server = "{registry.url}"\n[host."{mirror.url}"]\n')
        assert (await site.pull(f"{image.name}:v1")).source == registry.url
        with pytest.raises(NotFound) as caught:
            await site.pull(f"{image.name}:absent")
        for url in (mirror.url, registry.url):
            assert any(line.startswith(f"{url}: 404") for line in caught.value.details)


async def test_registry_that_is_not_there_is_told_as_unavailable(
    site: PullSite, registry: FakeRegistry
) -> None:
    """Pull rule 1.22: trouble of a registry is no verdict on the image."""
    registry.push_image("team/app", "v1", layers=[LAYER])
    registry.add_fault(
        Fault(kind="status", on="manifest", status=503, headers=(("Retry-After", "600"),))
    )
    with pytest.raises(Unavailable) as caught:
        await site.pull(f"{registry.host}/team/app:v1")
    assert caught.value.reason == "RegistryUnavailable"
    assert caught.value.details[0].startswith(f"{registry.url}: 503 (")
