"""Writable layers are measured now and then, and nobody waits for it."""

from pathlib import Path

import pytest

from cri.container_filesystem import KEPT_SECONDS, ContainerFilesystem
from runtime.errors import Unavailable
from runtime.records.resources import WritableLayerUsage
from runtime.tests.lifecycle.rig import TestSupervisor


class Counter:
    def __init__(self) -> None:
        self.asked = 0
        self.broken = False

    async def layer_usage(self, directory: Path) -> WritableLayerUsage:
        self.asked += 1
        if self.broken:
            raise Unavailable("disk", "does not answer")
        return WritableLayerUsage(
            timestamp_ns=5, mountpoint=str(directory), used_bytes=100 * self.asked, inodes_used=1
        )


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def settle(supervisor: TestSupervisor) -> None:
    for task in list(supervisor.tasks):
        await task


async def test_an_old_measurement_is_told_while_a_new_one_is_made(tmp_path: Path) -> None:
    counter, clock, supervisor = Counter(), Clock(), TestSupervisor()
    filesystem = ContainerFilesystem(
        host=counter, supervisor=supervisor, layers=tmp_path, images=tmp_path, clock=clock
    )
    assert (await filesystem.usage()).used_bytes == 0
    assert (await filesystem.usage()).used_bytes == 0
    await settle(supervisor)
    assert counter.asked == 1
    assert (await filesystem.usage()).used_bytes == 100
    clock.now += KEPT_SECONDS
    assert (await filesystem.usage()).used_bytes == 100
    await settle(supervisor)
    assert (await filesystem.usage()).used_bytes == 200


async def test_one_filesystem_is_told_under_one_mount_point(tmp_path: Path) -> None:
    layers, images = tmp_path / "containers", tmp_path / "images"
    layers.mkdir()
    images.mkdir()
    supervisor = TestSupervisor()
    filesystem = ContainerFilesystem(
        host=Counter(), supervisor=supervisor, layers=layers, images=images
    )
    assert (await filesystem.usage()).mountpoint == str(images)
    await settle(supervisor)
    assert (await filesystem.usage()).mountpoint == str(images)


async def test_a_measurement_that_fails_keeps_the_last_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counter, supervisor = Counter(), TestSupervisor()
    counter.broken = True
    filesystem = ContainerFilesystem(
        host=counter, supervisor=supervisor, layers=tmp_path, images=tmp_path
    )
    await filesystem.usage()
    await settle(supervisor)
    assert (await filesystem.usage()).used_bytes == 0
    assert "cannot be measured" in caplog.text
