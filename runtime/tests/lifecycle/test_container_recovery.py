"""What became of one container; most of it is in test_recovery."""

import asyncio
from dataclasses import replace

from runtime.errors import Unavailable
from runtime.lifecycle.container_recovery import take_up_container
from runtime.records.container import ContainerState
from runtime.tests.lifecycle.rig import Rig


async def test_one_of_a_handler_that_is_gone_is_unknown(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await take_up_container(
        rig.node, replace(container, handler="gvisor"), "", asyncio.Semaphore(1)
    )
    record = rig.node.container(container.id)
    assert record.state is ContainerState.UNKNOWN
    assert "gvisor" in record.message


async def test_one_that_ended_but_not_how_is_watched_until_that_is_known(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.host.end_process(container.pid)
    rig.driver.fail("wait", Unavailable("exit file", "is not there yet"))
    await take_up_container(rig.node, container, "", asyncio.Semaphore(1))
    assert rig.node.container(container.id).state is ContainerState.CREATED
    rig.driver.container(container.id).exit(9)
    await rig.node.live[container.id].exited.wait()
    assert rig.node.container(container.id).exit_code == 9
