"""A manifest has one reading, or none."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image.errors import FailedPrecondition, ImageError
from image.model.manifest import MAX_LAYERS, MAX_MANIFEST_BYTES, Index, Manifest, parse_manifest
from image.model.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
)
from image.model.schema1 import Schema1Manifest


def descriptor(media_type: str = OCI_CONFIG, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": "sha256:" + "ab" * 32, "size": 3} | more


def image_document(**more: object) -> dict[str, object]:
    usual = {"schemaVersion": 2, "config": descriptor(), "layers": [descriptor("l")]}
    return usual | more


def index_document(**more: object) -> dict[str, object]:
    return {"schemaVersion": 2, "manifests": [descriptor(OCI_MANIFEST)]} | more


def parse(
    document: object, header: str = "", *, require_schema2: bool = False
) -> Manifest | Index | Schema1Manifest:
    return parse_manifest(
        json.dumps(document).encode(), header, subject="it", require_schema2=require_schema2
    )


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("header", ["", "text/html", "same"])
def test_image_manifest_is_read(media_type: str, header: str) -> None:
    served = f"{media_type}; charset=utf-8" if header == "same" else header
    found = parse(image_document(mediaType=media_type, annotations={"a": "b"}), served)
    assert isinstance(found, Manifest)
    assert found.media_type == media_type
    assert found.annotations == (("a", "b"),)
    assert [layer.media_type for layer in found.layers] == ["l"]


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_MANIFEST_LIST])
def test_index_is_read(media_type: str) -> None:
    found = parse(index_document(mediaType=media_type))
    assert isinstance(found, Index)
    assert found.media_type == media_type
    assert len(found.manifests) == 1


@pytest.mark.parametrize(
    ("document", "header", "media_type"),
    [
        (image_document(), OCI_MANIFEST, OCI_MANIFEST),
        (image_document(), "", OCI_MANIFEST),
        (image_document(config=descriptor(DOCKER_CONFIG)), "", DOCKER_MANIFEST),
        (index_document(), "", OCI_INDEX),
        (index_document(manifests=[]), "", OCI_INDEX),
        (index_document(manifests=[descriptor(DOCKER_MANIFEST)]), "", DOCKER_MANIFEST_LIST),
    ],
)
def test_missing_media_type_is_told_by_header_or_content(
    document: dict[str, object], header: str, media_type: str
) -> None:
    assert parse(document, header).media_type == media_type


@pytest.mark.parametrize("header", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, ""])
@pytest.mark.parametrize(
    "document",
    [
        image_document(manifests=[descriptor(OCI_MANIFEST)]),
        index_document(config=descriptor()),
        index_document(layers=[]),
        image_document(fsLayers=[]),
    ],
)
def test_document_with_two_readings_is_refused_however_it_is_served(
    document: dict[str, object], header: str
) -> None:
    with pytest.raises(FailedPrecondition, match="both as an image and as an index"):
        parse(document, header)


@pytest.mark.parametrize(
    ("document", "header", "words"),
    [
        (image_document(), OCI_INDEX, "has the shape of a manifest"),
        (index_document(), DOCKER_MANIFEST, "has the shape of a index"),
        (image_document(mediaType=OCI_INDEX), "", "has the shape"),
        (image_document(mediaType=OCI_MANIFEST), DOCKER_MANIFEST, "calls itself"),
        (image_document(mediaType="x/y"), "", "unsupported manifest format 'x/y'"),
        (image_document(), "x/y", "unsupported manifest format 'x/y'"),
        ({"schemaVersion": 2}, "", "neither `config` nor `manifests`"),
        (image_document(schemaVersion=3), "", "schemaVersion other than 2"),
        ({"schemaVersion": 2, "layers": []}, "", "has no `config`"),
        (image_document(layers=[descriptor()] * (MAX_LAYERS + 1)), "", "more than 500 layers"),
        (image_document(Layers=[]), "", "unusual letter case"),
        (image_document(layers=[descriptor(size=-1)]), "", "impossible size"),
        (image_document(layers="x"), "", "must be a list"),
        ([], "", "not a JSON object"),
    ],
)
def test_what_does_not_agree_is_refused(document: object, header: str, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        parse(document, header)


def test_security_b1_key_given_twice_is_refused() -> None:
    raw = b'{"schemaVersion":2,"layers":[],"layers":[]}'
    with pytest.raises(FailedPrecondition, match="twice"):
        parse_manifest(raw, subject="it")


def test_size_is_bounded() -> None:
    with pytest.raises(FailedPrecondition, match="larger than"):
        parse_manifest(b" " * (MAX_MANIFEST_BYTES + 1), subject="it")


def old_document(**more: object) -> dict[str, object]:
    entry = {"v1Compatibility": json.dumps({"id": "ab" * 32})}
    blob = {"blobSum": "sha256:" + "cd" * 32}
    return {"schemaVersion": 1, "fsLayers": [blob], "history": [entry]} | more


@pytest.mark.parametrize("header", ["", DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED])
def test_schema1_is_read_unless_it_is_refused(header: str) -> None:
    document = old_document(mediaType=DOCKER_SCHEMA1)
    found = parse(document, header)
    assert isinstance(found, Schema1Manifest)
    assert found.media_type == (header or DOCKER_SCHEMA1)
    with pytest.raises(FailedPrecondition, match="invalid manifest: not schema2"):
        parse(document, header, require_schema2=True)


def test_signed_payload_of_another_kind_is_refused() -> None:
    payload = json.dumps(image_document()).encode()
    tail = base64.urlsafe_b64encode(payload).decode()
    protected = json.dumps({"formatLength": 0, "formatTail": tail}).encode()
    signature = {"protected": base64.urlsafe_b64encode(protected).decode()}
    with pytest.raises(FailedPrecondition, match="another kind"):
        parse(old_document(signatures=[signature]))


_VALUE = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "platform", "os"]), inner, max_size=4
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests"]), _VALUE
    ),
    st.sampled_from(["", OCI_MANIFEST, OCI_INDEX, "application/json"]),
)
def test_any_document_is_read_or_refused(document: dict[str, object], header: str) -> None:
    try:
        parse(document, header)
    except ImageError:
        return
