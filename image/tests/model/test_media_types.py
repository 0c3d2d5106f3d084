"""Media types are told apart by tables."""

import pytest

from image.model.media_types import (
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    MANIFEST_ACCEPT,
    OCI_CONFIG,
    OCI_INDEX,
    Compression,
    ManifestKind,
    bare_media_type,
    is_generic,
    is_image_config,
    is_nondistributable,
    layer_compression,
    manifest_kind,
    remote_class,
)


def test_parameters_and_case_of_a_content_type_do_not_count() -> None:
    assert bare_media_type("Application/JSON ; charset=utf-8") == "application/json"


def test_manifest_kinds_are_told_by_type() -> None:
    assert manifest_kind(DOCKER_MANIFEST) is ManifestKind.MANIFEST
    assert manifest_kind(OCI_INDEX) is ManifestKind.INDEX
    assert manifest_kind(DOCKER_SCHEMA1) is ManifestKind.SCHEMA1
    assert manifest_kind("application/json") is None
    assert all(manifest_kind(name) for name in MANIFEST_ACCEPT if "*" not in name)


@pytest.mark.parametrize("name", ["", "application/json", "text/html"])
def test_types_that_say_nothing_are_known(name: str) -> None:
    assert is_generic(name)
    assert not is_generic(OCI_INDEX)


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("application/vnd.docker.plugin.v1+json", "plugin"),
        ("application/vnd.cncf.helm.config.v1+json", "helm chart"),
        ("application/vnd.oci.empty.v1+json", "artifact"),
        ("application/x-else", "unknown"),
    ],
)
def test_configs_of_other_things_are_named(media_type: str, name: str) -> None:
    assert not is_image_config(media_type)
    assert remote_class(media_type) == name
    assert is_image_config(OCI_CONFIG)


@pytest.mark.parametrize(
    ("media_type", "compression", "foreign"),
    [
        ("application/vnd.oci.image.layer.v1.tar", Compression.NONE, False),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Compression.ZSTD, False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression.GZIP, False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Compression.GZIP, True),
        ("application/vnd.erofs.layer.v1", None, False),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", None, False),
    ],
)
def test_layer_types_tell_packing_and_source(
    media_type: str, compression: Compression | None, foreign: bool
) -> None:
    assert layer_compression(media_type) is compression
    assert is_nondistributable(media_type) is foreign
