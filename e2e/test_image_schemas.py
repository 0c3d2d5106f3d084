"""Manifests, indexes and configs against the OCI's own JSON schemas: what the tests serve, and what Lading writes.

The schemas are looked for in LADING_IMAGE_SPEC_SCHEMA (a folder with image-manifest-schema.json), else in the Go module
cache, where `go mod download github.com/opencontainers/image-spec@v1.1.1` puts them. Docker's documents have the same form.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from e2e.command_line import CommandLine
from e2e.conftest import PEER
from e2e.images.cache import load_images
from e2e.images.catalogue import BUSYBOX, NGINX
from e2e.images.image import Document, PublishedImage
from e2e.layer_recipes import RECIPES
from e2e.made_images import made_image
from e2e.node import Node
from e2e.tool_paths import system_tool
from image.model.digest import sha256_digest
from image.tests.fakes.fake_registry import FakeRegistry, PushedLayer, config_of, layer_of

VERSION = "v1.1.1"
MANIFEST, INDEX = "image-manifest-schema.json", "image-index-schema.json"
CONFIG, LAYOUT = "config-schema.json", "image-layout-schema.json"


class Schemas:
    """The schemas of image-spec by file name."""

    def __init__(self, folder: Path) -> None:
        """Read all of them; they refer to each other by name, from below whatever `id` stands around it."""
        documents = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
        bases = {one.rpartition("/")[0] for document in documents.values() for one in ids(document)}
        resources = [
            (f"{base}/{name}".lstrip("/"), DRAFT4.create_resource(document))
            for base in ("", *bases)
            for name, document in documents.items()
        ]
        registry = Registry().with_resources(resources)
        self._validators = {
            name: Draft4Validator(document, registry=registry)
            for name, document in documents.items()
        }

    def problems(self, schema: str, content: bytes) -> list[str]:
        """Return what a document does against its schema."""
        found = self._validators[schema].iter_errors(json.loads(content))
        return [f"{list(error.absolute_path)}: {error.message}" for error in found]


def ids(document: object) -> Iterator[str]:
    """Yield every `id` of a schema, at any depth."""
    if isinstance(document, dict):
        if isinstance(document.get("id"), str):
            yield document["id"]
        for child in document.values():
            yield from ids(child)


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    named = os.environ.get("LADING_IMAGE_SPEC_SCHEMA")
    cache = Path(os.environ.get("GOMODCACHE") or Path.home() / "go" / "pkg" / "mod")
    folder = cache / "github.com" / "opencontainers" / f"image-spec@{VERSION}" / "schema"
    if named:
        folder = Path(named)
    if not (folder / MANIFEST).is_file():
        pytest.skip(f"go mod download github.com/opencontainers/image-spec@{VERSION} first")
    return Schemas(folder)


def schema_of(document: Document) -> str:
    """Return the schema of a document by its media type."""
    lists = ("index", "manifest.list")
    return INDEX if any(word in document.media_type for word in lists) else MANIFEST


def image_problems(schemas: Schemas, image: PublishedImage) -> list[str]:
    """Return what all documents of an image do against their schemas."""
    problems = []
    for document in (*image.manifests, image.top):
        problems += schemas.problems(schema_of(document), document.content)
    for document in image.manifests:
        config = json.loads(document.content)["config"]["digest"]
        problems += schemas.problems(CONFIG, image.blobs[config])
    return problems


def test_schemas_refuse_what_is_wrong(schemas: Schemas) -> None:
    assert schemas.problems(MANIFEST, b'{"schemaVersion": 2}')
    bad = {"mediaType": "x/y", "digest": "sha256:xyz!", "size": 1}
    whole = {"schemaVersion": 2, "config": bad, "layers": [bad]}
    assert schemas.problems(MANIFEST, json.dumps(whole).encode())
    assert schemas.problems(CONFIG, b'{"os": "linux"}')


def test_images_of_these_tests_are_valid(schemas: Schemas) -> None:
    for named in load_images():
        assert image_problems(schemas, named.image) == [], named.references


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_images_of_the_fake_registry_are_valid(schemas: Schemas, docker: bool) -> None:
    layers = [layer_of({"f": b"1"}), layer_of({"g": b"2"}, compress=False)]
    with FakeRegistry() as registry:
        pushed = registry.push_image("a", "v1", layers=layers, docker=docker)
    assert schemas.problems(MANIFEST, pushed.manifest) == []
    assert schemas.problems(CONFIG, pushed.config) == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_configs_of_the_layer_recipes_are_valid(schemas: Schemas, recipe: str) -> None:
    layers = [PushedLayer(blob=tar, tar=tar) for tar in RECIPES[recipe]()]
    assert schemas.problems(CONFIG, config_of(layers)) == []


@pytest.mark.skipif(PEER, reason="the peer has no admin socket")
def test_what_lading_exports_is_valid_and_whole(node: Node, schemas: Schemas) -> None:
    lading = CommandLine(node)
    archive = node.session.workspace.folder("archives") / "schemas.tar"
    with made_image(node) as name:
        node.client.pull(BUSYBOX)
        node.client.pull(NGINX)
        lading("image", "export", "-o", str(archive), BUSYBOX, NGINX, name)
    members = read_members(archive)
    assert schemas.problems(LAYOUT, members["oci-layout"]) == []
    assert schemas.problems(INDEX, members["index.json"]) == []
    index = json.loads(members["index.json"])
    assert len(index["manifests"]) == 3
    for entry in index["manifests"]:
        manifest = content_of(members, entry)
        assert schemas.problems(MANIFEST, manifest) == []
        parts = json.loads(manifest)
        assert schemas.problems(CONFIG, content_of(members, parts["config"])) == []
        for layer in parts["layers"]:
            content_of(members, layer)
        check_with_skopeo(archive, entry, manifest, content_of(members, parts["config"]))


def read_members(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive that was made here."""
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def content_of(members: Mapping[str, bytes], entry: Mapping[str, object]) -> bytes:
    """Return what a descriptor names; size and digest must be right."""
    digest = str(entry["digest"])
    content = members[f"blobs/{digest.replace(':', '/')}"]
    assert (sha256_digest(content), len(content)) == (digest, entry["size"])
    return content


def check_with_skopeo(
    archive: Path, entry: Mapping[str, object], manifest: bytes, config: bytes
) -> None:
    """Have skopeo say what it reads."""
    annotations = entry["annotations"]
    assert isinstance(annotations, dict)
    place = f"oci-archive:{archive}:{annotations['org.opencontainers.image.ref.name']}"
    assert skopeo("inspect", "--raw", place) == manifest
    assert skopeo("inspect", "--raw", "--config", place) == config
    seen = json.loads(skopeo("inspect", place))
    parts = json.loads(manifest)
    assert seen["Layers"] == [layer["digest"] for layer in parts["layers"]]
    assert seen["Os"] == "linux"


def skopeo(*words: str) -> bytes:
    """Return what skopeo prints."""
    command = [str(system_tool("skopeo")), *words]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
