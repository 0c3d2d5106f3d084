"""Mounts, volumes and devices that cannot be."""

from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument
from runtime.records.container import Device, Mount, MountPropagation
from runtime.spec.request import RuntimeFeatures
from runtime.spec.validate_mounts import MAX_MOUNTS, check_mounts, check_volumes
from runtime.tests.spec.samples import ABLE, CONTAINER, MAPPING

BIND = Mount(container_path="/m", host_path="/h")
RRO = replace(BIND, readonly=True, recursive_read_only=True)
IMAGE = Mount(container_path="/m", image="i", readonly=True)
DEVICE = Device(host_path="/dev/fuse", container_path="/dev/fuse")
UNABLE = RuntimeFeatures()
SLAVE = MountPropagation.HOST_TO_CONTAINER


@pytest.mark.parametrize(
    "mount",
    [
        BIND,
        RRO,
        IMAGE,
        replace(IMAGE, image_sub_path="etc/conf"),
        replace(BIND, mount_options=("noexec", "nosuid", "nodev")),
        replace(BIND, uid_mappings=(MAPPING,)),
    ],
)
def test_usable_mount_passes(mount: Mount) -> None:
    check_mounts("container x", replace(CONTAINER, mounts=(mount,), devices=(DEVICE,)), ABLE)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (replace(BIND, container_path=""), "BadContainerPath"),
        (replace(BIND, container_path="m"), "BadContainerPath"),
        (replace(BIND, container_path="/a/.."), "BadContainerPath"),
        (replace(BIND, host_path=""), "BadMountSource"),
        (replace(BIND, image="i"), "BadMountSource"),
        (replace(BIND, image_sub_path="a"), "BadMountSource"),
        (replace(BIND, host_path="h"), "BadHostPath"),
        (replace(BIND, host_path="/" + "h" * 70000), "TextTooLong"),
        (replace(BIND, host_path="/a\0b"), "BadCharacter"),
        (replace(BIND, mount_options=("suid",)), "BadMountOption"),
        (replace(IMAGE, readonly=False), "ImageVolumeWritable"),
        (replace(IMAGE, image_sub_path="../x"), "BadImageSubPath"),
        (replace(IMAGE, image_sub_path="/x"), "BadImageSubPath"),
        (replace(RRO, readonly=False), "RROUnsupported"),
        (replace(RRO, propagation=SLAVE), "RROUnsupported"),
        (replace(RRO, propagation=MountPropagation.BIDIRECTIONAL), "RROUnsupported"),
    ],
)
def test_unusable_mount_is_refused(mount: Mount, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_mounts("container x", replace(CONTAINER, mounts=(BIND, mount)), ABLE)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (RRO, "RROUnsupported"),
        (replace(BIND, mount_options=("noexec",)), "MountOptionsUnsupported"),
        (replace(BIND, gid_mappings=(MAPPING,)), "IdMapUnsupported"),
    ],
)
def test_mount_that_the_runtime_cannot_do_is_refused(mount: Mount, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        check_mounts("container x", replace(CONTAINER, mounts=(mount,)), UNABLE)


def test_kubelets_prefixes_start_the_message() -> None:
    for mount, prefix in (
        (RRO, "RROUnsupported: "),
        (replace(IMAGE, readonly=False), "ImageVolumeMountFailed: "),
    ):
        with pytest.raises(InvalidArgument) as caught:
            check_mounts("container x", replace(CONTAINER, mounts=(mount,)), UNABLE)
        assert str(caught.value).startswith(prefix)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (replace(DEVICE, host_path="dev/fuse"), "BadDevicePath"),
        (replace(DEVICE, container_path="fuse"), "BadDevicePath"),
        (replace(DEVICE, permissions="rwx"), "BadDevicePermissions"),
    ],
)
def test_unusable_device_is_refused(device: Device, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        check_mounts("container x", replace(CONTAINER, devices=(device,)), ABLE)


def test_device_without_container_path_passes() -> None:
    device = replace(DEVICE, container_path="", permissions="")
    check_mounts("container x", replace(CONTAINER, devices=(device,)), ABLE)


def test_too_many_mounts_are_refused() -> None:
    many = (BIND,) * (MAX_MOUNTS + 1)
    with pytest.raises(InvalidArgument, match="TooMany"):
        check_mounts("container x", replace(CONTAINER, mounts=many), ABLE)


@pytest.mark.parametrize("bad", ["/", "/proc", "/proc/x", "/sys", "/dev", "/a/../proc", "", "dev"])
def test_volume_over_the_systems_files_is_refused(bad: str) -> None:
    check_volumes("image", ("/data", "/process", "/device"))
    with pytest.raises(InvalidArgument, match="BadVolume"):
        check_volumes("image", ("/data", bad))
