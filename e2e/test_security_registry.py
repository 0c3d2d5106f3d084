"""Security rules A3 and B1 to B6 on whole pulls: what lies is refused, and leaves neither a file nor a request behind.

Rules C1 to C3 are tested without a kernel, in image/tests/registry, and C3 on a node in test_security_images.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.tool_paths import system_tool
from image.errors import FailedPrecondition, ImageError, InvalidArgument
from image.model.digest import sha256_digest
from image.model.media_types import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
)
from image.store.image_store import ImageStore
from image.tests.fakes.fake_registry import (
    FakeRegistry,
    Fault,
    PushedLayer,
    config_of,
    descriptor_of,
    layer_of,
)
from image.tests.policy.signing import payload_of, push_signature, sign, write_public
from image.tests.pulls.subprocess_launcher import SubprocessLauncher, SubprocessWorker
from image.tests.store.tar_making import TarMaker, header
from image.tests.whole_pulls.conftest import PullSite

LAYER = layer_of({"etc/motd": b"hello"})
CONFIG = config_of([LAYER])
AMD64 = {"os": "linux", "architecture": "amd64"}
ANY_TYPE = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST)
SPARSE = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "x",
    "GNU.sparse.realsize": str(1 << 40),
}
MEMORY_BYTES = 400 << 20
"""A worker takes about 60 MiB; what a lie could make it read is far above this."""


class TightLauncher(SubprocessLauncher):
    """Starts workers that cannot get more memory, and fail if they ask for it.

    What they took cannot be asked for afterwards: the kernel's answer, ru_maxrss, is the most that any descendant of this
    process ever took, and begins with what this process itself has.
    """

    async def launch(
        self, argv: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]
    ) -> SubprocessWorker:
        limited = (str(system_tool("prlimit")), f"--data={MEMORY_BYTES}", "--", *argv)
        return await super().launch(limited, env=env, pass_fds=pass_fds)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running
    assert running.violations == []


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[PullSite]:
    """Give a node that pulls with a real worker and extracts layers."""
    site = PullSite(await ImageStore.open(tmp_path / "images"), tmp_path)
    site.launcher = TightLauncher()
    site.use()
    yield site
    await site.puller.close()
    await site.tasks.wait_all()
    assert os.listdir(site.store.root / "staging") == []
    site.store.close()


def document(**fields: object) -> bytes:
    """Write a manifest or index of these fields."""
    return json.dumps({"schemaVersion": 2, **fields}).encode()


def layer_entry(**changes: object) -> dict[str, object]:
    """Describe the layer, perhaps falsely."""
    return {**descriptor_of(LAYER.blob, LAYER.media_type), **changes}


def files_of(site: PullSite) -> set[str]:
    """Return the files of the store but its database's."""
    return {
        os.path.join(folder, name)
        for folder, _, names in os.walk(site.store.root)
        for name in names
        if not name.startswith(("images.db", "reserve"))
    }


async def refused(site: PullSite, name: str) -> ImageError:
    """Pull what must be refused for what it is; nothing may be left of it."""
    with pytest.raises((FailedPrecondition, InvalidArgument)) as caught:
        await site.pull(name)
    assert site.store.list_images() == ()
    assert files_of(site) == set()
    return caught.value


@pytest.mark.parametrize("media_type", ANY_TYPE)
@pytest.mark.parametrize("pinned", [False, True], ids=["tag", "digest"])
async def test_security_b1_image_that_is_an_index_too_is_refused_as_either(
    site: PullSite, registry: FakeRegistry, media_type: str, pinned: bool
) -> None:
    entry = descriptor_of(b"{}", OCI_MANIFEST, platform=AMD64)
    both = document(
        config=descriptor_of(CONFIG, OCI_CONFIG), layers=[layer_entry()], manifests=[entry]
    )
    digest = registry.push_manifest("team/app", "v1", both, media_type)
    registry.push_blob("team/app", LAYER.blob)
    name = f"{registry.host}/team/app"
    await refused(site, f"{name}@{digest}" if pinned else f"{name}:v1")
    assert registry.seen("/blobs/") == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"schemaVersion": 2, "layers": [], "layers": []}',
        b'{"schemaVersion": 2, "mediaType": "%s", "config": {}, "Config": {}, "layers": []}'
        % OCI_MANIFEST.encode(),
    ],
    ids=["twice", "in other letters"],
)
async def test_security_b1_key_given_twice_is_refused(
    site: PullSite, registry: FakeRegistry, raw: bytes
) -> None:
    registry.push_manifest("team/app", "v1", raw, OCI_MANIFEST)
    await refused(site, f"{registry.host}/team/app:v1")


@pytest.mark.parametrize("digest", ["sha256:../../x", "md5:" + "0" * 32, "sha256:" + "A" * 64])
async def test_security_b2_digest_that_is_none_is_refused_wherever_it_stands(
    site: PullSite, registry: FakeRegistry, digest: str
) -> None:
    await refused(site, f"{registry.host}/team/app@{digest}")
    config = descriptor_of(CONFIG, OCI_CONFIG)
    documents = {
        "layer": (document(config=config, layers=[layer_entry(digest=digest)]), OCI_MANIFEST),
        "config": (
            document(config={**config, "digest": digest}, layers=[layer_entry()]),
            OCI_MANIFEST,
        ),
        "entry": (
            document(manifests=[{**config, "mediaType": OCI_MANIFEST, "digest": digest}]),
            OCI_INDEX,
        ),
    }
    for tag, (content, media_type) in documents.items():
        registry.push_manifest("team/app", tag, content, media_type)
        await refused(site, f"{registry.host}/team/app:{tag}")
    assert registry.seen("/blobs/") == []


async def test_security_b2_other_bytes_for_a_pin_are_refused(
    site: PullSite, registry: FakeRegistry
) -> None:
    wanted = registry.push_image("team/app", "v1", layers=[LAYER])
    other = registry.push_image("team/app", "v2", layers=[layer_of({"other": b"1"})])
    registry.add_fault(
        Fault(kind="replace_body", on="manifest", body=other.manifest, times=-1, only=wanted.digest)
    )
    await refused(site, f"{wanted.name}@{wanted.digest}")
    assert registry.seen("/blobs/") == []


@pytest.mark.parametrize("title", ["../x", "/x", "a/../../x"])
async def test_security_b3_title_of_a_layer_is_no_path(
    site: PullSite, registry: FakeRegistry, title: str
) -> None:
    annotations = {"org.opencontainers.image.title": title}
    layers = [layer_entry(annotations=annotations), layer_entry(annotations=annotations)]
    artifact = {"mediaType": "application/vnd.example.v1+json", "digest": LAYER.digest, "size": 9}
    registry.push_manifest("a/b", "v1", document(config=artifact, layers=layers), OCI_MANIFEST)
    await refused(site, f"{registry.host}/a/b:v1")
    registry.push_blob("a/c", LAYER.blob)
    registry.push_blob("a/c", CONFIG)
    image = document(config=descriptor_of(CONFIG, OCI_CONFIG), layers=layers[:1])
    registry.push_manifest("a/c", "v1", image, OCI_MANIFEST)
    before = set(os.listdir(site.directory))
    await site.pull(f"{registry.host}/a/c:v1")
    assert not [path for path in site.store.root.rglob("x") if path.name == "x"]
    assert set(os.listdir(site.directory)) == before


@pytest.mark.parametrize("size", [2**62, len(LAYER.blob) + 1, -1, 1.5, "9"], ids=str)
async def test_security_b4_size_that_is_not_the_blobs_is_refused(
    site: PullSite, registry: FakeRegistry, size: object
) -> None:
    manifest = document(config=descriptor_of(CONFIG, OCI_CONFIG), layers=[layer_entry(size=size)])
    registry.push_manifest("team/app", "v1", manifest, OCI_MANIFEST)
    for blob in (LAYER.blob, CONFIG):
        registry.push_blob("team/app", blob)
    await refused(site, f"{registry.host}/team/app:v1")


async def test_workers_of_these_tests_cannot_have_much_memory() -> None:
    for size, code in ((MEMORY_BYTES // 4, 0), (MEMORY_BYTES, 1)):
        script = f"try: bytearray({size})\nexcept MemoryError: raise SystemExit(1)"
        worker = await TightLauncher().launch([sys.executable, "-c", script], env={}, pass_fds=())
        assert await worker.wait() == code


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b" " * (64 << 20) + b"{}", "4194304"),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b'{"schemaVersion": ' + b"9" * 1_000_000 + b"}", ""),
    ],
    ids=["endless", "lists", "objects", "number"],
)
async def test_security_b4_huge_or_deep_document_is_refused_in_little_memory(
    site: PullSite, registry: FakeRegistry, raw: bytes, words: str
) -> None:
    registry.push_manifest("team/app", "v1", raw, OCI_MANIFEST)
    error = await refused(site, f"{registry.host}/team/app:v1")
    assert words in str(error)


async def test_security_b5_labels_are_shown_and_steer_nothing(
    site: PullSite, registry: FakeRegistry
) -> None:
    labels = {
        "containerd.io/restart.loguri": "binary:///bin/touch?x",
        "lading.privileged": "true",
        "io.kubernetes.cri.container-type": "sandbox",
    }
    config = config_of([LAYER], execution={"Labels": labels, "Cmd": ["/a"]})
    plain = config_of([LAYER], execution={"Cmd": ["/a"]})
    registry.push_image("team/app", "v1", layers=[LAYER], config=config)
    registry.push_image("team/app", "v2", layers=[LAYER], config=plain)
    marked = await site.pull(f"{registry.host}/team/app:v1")
    usual = await site.pull(f"{registry.host}/team/app:v2")
    assert dict(marked.config.labels) == labels
    assert marked.layers == usual.layers
    assert marked.config.cmd == usual.config.cmd


@pytest.mark.parametrize("signed", ["first entry", "index", "own entry", "other key", "nothing"])
async def test_security_b6_what_is_unpacked_must_be_what_is_signed(
    site: PullSite, registry: FakeRegistry, tmp_path: Path, signed: str
) -> None:
    key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    write_public(key, tmp_path / "key.pub")
    (tmp_path / "policy.toml").write_text(
        f'[[rule]]\nprefix = "{registry.host}/team"\nrequire = "signed"\nkeys = ["key.pub"]\n'
    )
    site.use(policy_path=str(tmp_path / "policy.toml"))
    first = registry.push_image("team/app", "", layers=[layer_of({"arm": b"1"})])
    own = registry.push_image("team/app", "", layers=[LAYER])
    entries = [(first, {"os": "linux", "architecture": "arm64"}), (own, AMD64)]
    registry.push_index("team/app", "v1", entries)
    index = registry.routes.repository("team/app").manifests["v1"][1]
    digests = {"first entry": first.digest, "own entry": own.digest, "other key": own.digest}
    digest = digests.get(signed, sha256_digest(index))
    if signed != "nothing":
        by = other_key if signed == "other key" else key
        push_signature(registry, "team/app", digest, sign(by, payload_of(digest, own.name)))
    if signed in ("index", "own entry"):
        assert (await site.pull(f"{own.name}:v1")).id == own.config_digest
        return
    error = await refused(site, f"{own.name}:v1")
    assert error.reason == "SignatureValidationFailed"
    assert registry.seen(f"/blobs/{LAYER.digest}") == []


@pytest.mark.parametrize(
    ("tar", "words"),
    [
        (header(b"big", size=b"\x80" + b"\xff" * 11), "out of range"),
        (header(b"big", size=b"77777777777\0") + bytes(1024), "ends inside"),
        (header(b"x", type=b"x", size=b"07777777777\0"), "above the limit"),
        (TarMaker().add("x", b"10000000\n".ljust(512, b"\0"), pax=SPARSE).done(), "out of range"),
    ],
    ids=["size", "short", "extension", "sparse"],
)
async def test_security_a3_layer_that_claims_much_is_refused_and_the_next_pull_works(
    site: PullSite, registry: FakeRegistry, tar: bytes, words: str
) -> None:
    layer = PushedLayer(blob=tar, tar=tar, media_type="application/vnd.oci.image.layer.v1.tar")
    registry.push_image("team/app", "bad", layers=[layer])
    error = await refused(site, f"{registry.host}/team/app:bad")
    assert words in str(error)
    good = registry.push_image("team/app", "good", layers=[LAYER])
    assert (await site.pull(f"{good.name}:good")).id == good.config_digest
