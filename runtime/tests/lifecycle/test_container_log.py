"""ReopenContainerLog: the file is there when it returns."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.errors import FailedPrecondition, Unavailable
from runtime.lifecycle.container_log import reopen_log
from runtime.lifecycle.container_start import start_container
from runtime.tests.lifecycle.rig import Rig, container_config, pod_config


async def test_the_new_file_exists_when_it_returns(rig: Rig, tmp_path: Path) -> None:
    pod = await rig.pod(replace(pod_config(), log_directory=str(tmp_path / "logs")))
    container = await rig.container(pod, container_config(log_path="app/0.log"))
    await start_container(rig.node, container.id)
    file = tmp_path / "logs/app/0.log"
    file.rename(file.with_suffix(".old"))
    await reopen_log(rig.node, container.id)
    assert file.exists()
    rig.driver.fail("reopen_log", Unavailable("ctl", "is gone"))
    with pytest.raises(Unavailable, match="reopen log of default/web/app: ctl"):
        await reopen_log(rig.node, container.id)


async def test_only_a_running_container_writes_a_log(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    with pytest.raises(FailedPrecondition):
        await reopen_log(rig.node, container.id)
