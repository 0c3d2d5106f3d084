"""Root filesystems, image volumes and VOLUMEs, without leaving the image."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import InvalidArgument, NotFound
from runtime.lifecycle.container_rootfs import (
    declared_volumes,
    mount_image_volume,
    mount_rootfs,
    real_path_below,
)
from runtime.records.container import ContainerRecord, Mount
from runtime.spec.image_defaults import ImageDefaults
from runtime.tests.lifecycle.rig import Rig, container_config
from runtime.tests.store.sample_rows import container


@pytest.fixture
def record(rig: Rig) -> ContainerRecord:
    one = replace(container(), config=container_config())
    rig.node.paths.bundle(one.id).mkdir()
    rig.node.paths.layer(one.id).mkdir()
    rig.node.paths.rootfs(one.id).mkdir()
    return one


async def test_layers_lie_below_a_writable_layer_on_disk(rig: Rig, record: ContainerRecord) -> None:
    target = await mount_rootfs(rig.node, record)
    mount = rig.host.overlays[target]
    assert mount.lower == rig.images.layers
    assert mount.upper == rig.node.paths.layer(record.id) / "upper"
    assert rig.images.held == {record.id: record.image_id}


async def test_an_image_without_layers_is_an_empty_directory(
    rig: Rig, record: ContainerRecord
) -> None:
    rig.images.layers = ()  # type: ignore[assignment]
    target = await mount_rootfs(rig.node, record)
    (empty,) = rig.host.overlays[target].lower
    assert list(empty.iterdir()) == []


async def test_an_image_volume_is_read_only_and_keeps_its_image(
    rig: Rig, record: ContainerRecord
) -> None:
    mount = Mount(container_path="/data", image="data:v1", readonly=True)
    found = await mount_image_volume(rig.node, record, 0, mount)
    assert rig.host.overlays[Path(found.source)].readonly
    assert rig.images.held == {f"{record.id}.volume0": "data:v1"}


async def test_a_sub_path_of_an_image_volume_must_be_in_the_image(
    rig: Rig, record: ContainerRecord
) -> None:
    view = rig.node.paths.bundle(record.id) / "volumes/0"
    (view / "models").mkdir(parents=True)
    (view / "link").symlink_to("/models")
    mount = Mount(container_path="/d", image="x", readonly=True, image_sub_path="link")
    assert (await mount_image_volume(rig.node, record, 0, mount)).source == str(view / "models")
    with pytest.raises(InvalidArgument, match=r"^ImageVolumeMountFailed: .*no none"):
        await mount_image_volume(rig.node, record, 0, replace(mount, image_sub_path="none"))


async def test_a_bad_image_volume_is_refused_with_the_kubelets_prefix(
    rig: Rig, record: ContainerRecord
) -> None:
    mount = Mount(container_path="/data", image="data:v1")
    with pytest.raises(InvalidArgument, match=r"^ImageVolumeMountFailed: .*read-only"):
        await mount_image_volume(rig.node, record, 0, mount)
    rig.images.missing.add("data:v1")
    with pytest.raises(NotFound, match=r"^ImageVolumeMountFailed: "):
        await mount_image_volume(rig.node, record, 0, replace(mount, readonly=True))


async def test_a_volume_needs_no_mount_where_its_content_is_writable_already(
    rig: Rig, record: ContainerRecord
) -> None:
    (rig.node.paths.rootfs(record.id) / "data").mkdir()
    assert declared_volumes(rig.node, record, ImageDefaults(volumes=("/data",))) == ()


async def test_a_volume_stays_writable_on_a_read_only_root(
    rig: Rig, record: ContainerRecord
) -> None:
    rootfs = rig.node.paths.rootfs(record.id)
    (rootfs / "srv/data").mkdir(parents=True)
    (rootfs / "data").symlink_to("/srv/data")
    config = record.config
    readonly = replace(config.security, readonly_rootfs=True)
    record = replace(record, config=replace(config, security=readonly))
    (volume,) = declared_volumes(rig.node, record, ImageDefaults(volumes=("/data",)))
    assert (volume.container_path, volume.source) == ("/data", str(rootfs / "srv/data"))


async def test_a_volume_that_the_image_lacks_is_an_empty_directory_of_ours(
    rig: Rig, record: ContainerRecord
) -> None:
    (volume,) = declared_volumes(rig.node, record, ImageDefaults(volumes=("/new",)))
    source = Path(volume.source)
    assert source.is_relative_to(rig.node.paths.layer(record.id))
    assert source.is_dir()


async def test_a_volume_behind_a_link_to_the_host_never_leaves_the_image(
    rig: Rig, record: ContainerRecord
) -> None:
    rootfs = rig.node.paths.rootfs(record.id)
    (rootfs / "l").symlink_to("../../../../../../data")
    (rootfs / "data").mkdir()
    image = ImageDefaults(volumes=("/l", "/../../etc", "/l/../etc"))
    for volume in declared_volumes(rig.node, record, image):
        assert Path(volume.source).is_relative_to(rig.node.paths.layer(record.id))


@pytest.mark.parametrize(
    "volume", ["/p", "/p/x/deep", "/d", "/d/x", "/r", "/s/kernel", "/x/../p/x"]
)
async def test_a_volume_that_links_over_the_kernels_files_is_refused(
    rig: Rig, record: ContainerRecord, volume: str
) -> None:
    rootfs = rig.node.paths.rootfs(record.id)
    for name, target in (("p", "/proc"), ("d", "x/../dev"), ("r", "/"), ("s", "../../sys")):
        (rootfs / name).symlink_to(target)
    # There is no /dev: the runtime makes it only later, and the link leads somewhere then.
    for name in ("proc", "sys", "x"):
        (rootfs / name).mkdir()
    with pytest.raises(InvalidArgument, match="VOLUME") as caught:
        declared_volumes(rig.node, record, ImageDefaults(volumes=(volume,)))
    assert caught.value.reason == "BadVolume"
    assert not rig.node.paths.layer(record.id).joinpath("volumes").exists()


async def test_a_mount_of_the_request_takes_the_place_of_a_volume(
    rig: Rig, record: ContainerRecord
) -> None:
    mounts = (Mount(container_path="/new", host_path="/srv"),)
    record = replace(record, config=container_config(mounts=mounts))
    assert declared_volumes(rig.node, record, ImageDefaults(volumes=("/new",))) == ()


def test_a_magic_link_is_refused_and_a_missing_path_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert real_path_below(tmp_path, "file/below") is None
    assert real_path_below(tmp_path, "none") is None
    with pytest.raises(InvalidArgument, match="cannot be followed"):
        real_path_below(Path("/proc"), "self/root")
