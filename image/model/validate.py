"""Cross checks between documents that are each valid alone: manifest, config and wanted platform.

Pure. Called before any layer is downloaded, so that an image which cannot work here costs no transfer.
"""

from collections.abc import Sequence

from image.errors import FailedPrecondition
from image.model.image_config import ImageConfig
from image.model.manifest import Manifest
from image.model.media_types import is_image_config, layer_compression, remote_class
from image.model.platform import Platform, os_version_suits


def check_manifest_usable(manifest: Manifest, *, subject: str) -> None:
    """Refuse what is no container image: a foreign config class, or a layer type that cannot be unpacked.

    Raises:
        FailedPrecondition: names the media type and its class.
    """
    config_type = manifest.config.media_type
    if not is_image_config(config_type):
        raise FailedPrecondition(
            subject,
            f"encountered remote {config_type[:200]!r} ({remote_class(config_type)}) when fetching",
            remedy="only container images can be pulled",
            reason="NotAnImage",
        )
    for position, layer in enumerate(manifest.layers):
        if layer_compression(layer.media_type) is None:
            raise FailedPrecondition(
                subject,
                f"layer {position} has the unsupported media type {layer.media_type[:200]!r}",
                remedy="push the image with tar layers, plain or packed by gzip or zstd",
                reason="UnsupportedLayer",
            )


def check_image_consistent(manifest: Manifest, config: ImageConfig, *, subject: str) -> None:
    """Refuse a config that does not name exactly one diff id per layer.

    Raises:
        FailedPrecondition: the numbers differ.
    """
    layers, diff_ids = len(manifest.layers), len(config.diff_ids)
    if layers != diff_ids:
        raise _mismatch(subject, f"{layers} layers against {diff_ids} diff ids")


def check_diff_ids(config: ImageConfig, unpacked: Sequence[str], *, subject: str) -> None:
    """Refuse unpacked layers that are not the config's, in number and in order.

    Raises:
        FailedPrecondition: names the first layer that differs.
    """
    if len(unpacked) != len(config.diff_ids):
        raise _mismatch(subject, f"{len(unpacked)} unpacked, {len(config.diff_ids)} named")
    for position, (found, named) in enumerate(zip(unpacked, config.diff_ids, strict=True)):
        if found != named:
            raise _mismatch(subject, f"layer {position} is {found}, the config says {named}")


def check_os_compatible(config: ImageConfig, platform: Platform, *, subject: str) -> None:
    """Refuse an image of another operating system, or of a newer Windows build, before its layers are fetched.

    Raises:
        FailedPrecondition: says both sides.
    """
    image_os = config.os.lower() or "linux"  # images of before 2014 name none
    if image_os != platform.os:
        raise FailedPrecondition(
            subject,
            f'cannot download image with operating system "{image_os[:60]}"'
            f' when requesting "{platform.os}"',
            remedy="choose an image or a node of the same operating system",
            reason="IncompatiblePlatform",
        )
    if image_os == "windows" and not os_version_suits(platform.os_version, config.os_version):
        raise FailedPrecondition(
            subject,
            f"needs windows {config.os_version[:60]}, this host is {platform.os_version}",
            remedy="choose an image built for this version or an older build of it",
            reason="IncompatiblePlatform",
        )


def _mismatch(subject: str, difference: str) -> FailedPrecondition:
    return FailedPrecondition(
        subject,
        f"layers from manifest don't match image configuration: {difference}",
        remedy="the image is damaged where it was built or pushed",
        reason="LayerMismatch",
    )
