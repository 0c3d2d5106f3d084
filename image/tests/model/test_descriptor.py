"""Descriptors are type-checked and bounded."""

import pytest

from image.errors import FailedPrecondition
from image.model.descriptor import read_descriptor
from image.model.json_document import JsonObject
from image.model.platform import Platform

DIGEST = "sha256:" + "ab" * 32


def document(**fields: object) -> JsonObject:
    usual: dict[str, object] = {"mediaType": "m", "digest": DIGEST, "size": 5}
    return JsonObject(subject="entry", fields=usual | fields)


def test_all_fields_are_read() -> None:
    found = read_descriptor(
        document(
            urls=["https://a"],
            annotations={"k": "v"},
            platform={
                "os": "windows",
                "architecture": "amd64",
                "variant": "v2",
                "os.version": "10.0",
                "os.features": ["win32k"],
            },
        )
    )
    assert (found.media_type, found.digest, found.size) == ("m", DIGEST, 5)
    assert found.urls == ("https://a",)
    assert found.annotations == (("k", "v"),)
    assert found.platform == Platform(
        os="windows",
        architecture="amd64",
        variant="v2",
        os_version="10.0",
        os_features=("win32k",),
    )


def test_optional_fields_may_be_absent() -> None:
    found = read_descriptor(document(mediaType=None))
    assert (found.media_type, found.platform, found.urls) == ("", None, ())


@pytest.mark.parametrize("size", [-1, 2**63, True, "5", None, 1.5])
def test_impossible_sizes_are_refused(size: object) -> None:
    with pytest.raises(FailedPrecondition, match="size"):
        read_descriptor(document(size=size))


@pytest.mark.parametrize("digest", ["sha256:../../x", "md5:ab", "", None])
def test_what_is_no_digest_is_refused(digest: object) -> None:
    with pytest.raises(FailedPrecondition, match="digest"):
        read_descriptor(document(digest=digest))


def test_largest_size_is_read() -> None:
    assert read_descriptor(document(size=2**63 - 1)).size == 2**63 - 1
