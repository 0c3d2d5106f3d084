"""Freezing and thawing, each as often as one likes."""

import pytest

from runtime.errors import FailedPrecondition, Internal
from runtime.lifecycle.container_pause import pause_container, resume_container
from runtime.lifecycle.container_start import start_container
from runtime.tests.lifecycle.rig import Rig


async def test_a_container_is_frozen_and_thawed_once(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    with pytest.raises(FailedPrecondition):
        await pause_container(rig.node, container.id)
    await start_container(rig.node, container.id)
    for change in (pause_container, pause_container, resume_container, resume_container):
        await change(rig.node, container.id)
    assert [call for call in rig.driver.calls if call in ("pause", "resume")] == ["pause", "resume"]


async def test_a_failure_changes_nothing(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    rig.driver.fail("pause")
    with pytest.raises(Internal, match="pause default/web/app"):
        await pause_container(rig.node, container.id)
    assert not rig.node.live[container.id].paused
