"""Documents that do not fit each other are refused."""

import pytest

from image.errors import FailedPrecondition
from image.model.descriptor import Descriptor
from image.model.digest import sha256_digest
from image.model.image_config import ImageConfig
from image.model.manifest import Manifest
from image.model.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from image.model.platform import Platform, host_platform
from image.model.validate import (
    check_diff_ids,
    check_image_consistent,
    check_manifest_usable,
    check_os_compatible,
)

LINUX = host_platform("x86_64")
ONE, TWO = sha256_digest(b"1"), sha256_digest(b"2")


def manifest(*, config_type: str = OCI_CONFIG, layer_type: str = OCI_LAYER_GZIP) -> Manifest:
    return Manifest(
        config=Descriptor(media_type=config_type, digest=ONE, size=1),
        layers=(Descriptor(media_type=layer_type, digest=TWO, size=1),),
        media_type=OCI_MANIFEST,
    )


def config(*diff_ids: str, os: str = "linux", version: str = "") -> ImageConfig:
    return ImageConfig(architecture="amd64", os=os, os_version=version, diff_ids=diff_ids)


def test_container_image_is_usable() -> None:
    check_manifest_usable(manifest(), subject="it")
    check_manifest_usable(manifest(config_type="text/html"), subject="it")


def test_other_kinds_of_things_are_named() -> None:
    plugin = manifest(config_type="application/vnd.docker.plugin.v1+json")
    with pytest.raises(FailedPrecondition, match=r"encountered remote .*plugin.* \(plugin\) when"):
        check_manifest_usable(plugin, subject="it")


def test_layer_that_cannot_be_unpacked_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match="layer 0 has the unsupported media type"):
        check_manifest_usable(manifest(layer_type="application/vnd.erofs"), subject="it")


def test_number_of_layers_and_diff_ids_must_agree() -> None:
    check_image_consistent(manifest(), config(ONE), subject="it")
    with pytest.raises(FailedPrecondition, match="layers from manifest don't match"):
        check_image_consistent(manifest(), config(), subject="it")


def test_unpacked_layers_must_be_the_named_ones_in_order() -> None:
    check_diff_ids(config(ONE, TWO), [ONE, TWO], subject="it")
    with pytest.raises(FailedPrecondition, match="1 unpacked, 2 named"):
        check_diff_ids(config(ONE, TWO), [ONE], subject="it")
    with pytest.raises(FailedPrecondition, match="layer 0 is"):
        check_diff_ids(config(ONE, TWO), [TWO, ONE], subject="it")


@pytest.mark.parametrize(
    ("image", "platform"),
    [
        (config(), LINUX),
        (config(os="Linux"), LINUX),
        (config(os=""), LINUX),
        (
            config(os="windows", version="10.0.17763.1"),
            Platform(os="windows", architecture="amd64", os_version="10.0.20348.1"),
        ),
    ],
)
def test_image_of_the_same_system_is_accepted(image: ImageConfig, platform: Platform) -> None:
    check_os_compatible(image, platform, subject="it")


def test_image_of_another_system_is_refused() -> None:
    words = 'operating system "windows" when requesting "linux"'
    with pytest.raises(FailedPrecondition, match=words):
        check_os_compatible(config(os="windows"), LINUX, subject="it")


def test_image_of_a_newer_windows_is_refused() -> None:
    host = Platform(os="windows", architecture="amd64", os_version="10.0.17763.1")
    with pytest.raises(FailedPrecondition, match=r"this host is 10\.0\.17763\.1"):
        check_os_compatible(config(os="windows", version="10.0.20348.1"), host, subject="it")
