"""New limits reach the container, the record and the database."""

import asyncio
from dataclasses import replace

import pytest

from runtime.errors import InvalidArgument, PodRuntimeError
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.resource_update import update_container
from runtime.records.resources import HugepageLimit, LinuxResources
from runtime.tests.lifecycle.rig import Rig, container_config

MIB = 1024 * 1024


async def test_set_values_are_applied_and_remembered_and_others_kept(rig: Rig) -> None:
    config = container_config(resources=LinuxResources(cpu_shares=512))
    container = await rig.container(await rig.pod(), config)
    await update_container(rig.node, container.id, LinuxResources(cpu_quota_us=5000), ())
    record = rig.node.container(container.id)
    assert (record.resources.cpu_shares, record.resources.cpu_quota_us) == (512, 5000)
    assert rig.driver.container(container.id).updates == [LinuxResources(cpu_quota_us=5000)]
    await rig.restart()
    assert rig.node.container(container.id).resources == record.resources


async def test_memory_plus_swap_follows_the_memory_limit(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    await update_container(rig.node, container.id, LinuxResources(memory_limit_bytes=64 * MIB))
    (applied,) = rig.driver.container(container.id).updates
    assert applied.memory_swap_limit_bytes == 64 * MIB


async def test_what_the_host_cannot_limit_is_not_asked_of_the_runtime(rig: Rig) -> None:
    rig.node.host_facts = replace(
        rig.node.host_facts, cgroup_version=1, cgroup_controllers=("memory",), swap_accounting=False
    )
    container = await rig.container(await rig.pod())
    pages = HugepageLimit(page_size="2MB", limit_bytes=4)
    change = LinuxResources(
        memory_limit_bytes=64 * MIB, hugepage_limits=(pages,), unified=(("memory.high", "1"),)
    )
    await update_container(rig.node, container.id, change)
    (applied,) = rig.driver.container(container.id).updates
    assert applied == LinuxResources(memory_limit_bytes=64 * MIB)
    assert rig.node.container(container.id).resources.hugepage_limits == (pages,)


async def test_a_refused_update_changes_no_record(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.fail("update")
    with pytest.raises(PodRuntimeError, match="update default/web/app"):
        await update_container(rig.node, container.id, LinuxResources(cpu_shares=2))
    assert rig.node.container(container.id).resources == LinuxResources()


async def test_an_exited_container_has_only_its_record_changed(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    fake = rig.driver.container(container.id)
    await stop_container(rig.node, container.id, 0)
    await update_container(rig.node, container.id, LinuxResources(cpu_shares=2))
    assert fake.updates == []
    assert rig.node.container(container.id).resources.cpu_shares == 2


async def test_an_end_during_the_update_is_not_taken_back(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    rig.driver.hang("update")
    updating = asyncio.create_task(
        update_container(rig.node, container.id, LinuxResources(cpu_shares=2))
    )
    while "update" not in rig.driver.calls:
        await asyncio.sleep(0.001)
    rig.driver.container(container.id).exit(3)
    await rig.node.live[container.id].exited.wait()
    rig.driver.release("update")
    await asyncio.gather(updating, return_exceptions=True)
    assert rig.node.container(container.id).state == "exited"


async def test_a_negative_memory_limit_is_refused(rig: Rig) -> None:
    container = await rig.container(await rig.pod())
    with pytest.raises(InvalidArgument, match="memory limit -1"):
        await update_container(rig.node, container.id, LinuxResources(memory_limit_bytes=-1))


@pytest.mark.parametrize(
    "bad",
    [
        LinuxResources(cpuset_cpus="0-999999999999"),
        LinuxResources(cpuset_mems="1-0"),
        LinuxResources(unified=(("../memory.max", "1"),)),
        LinuxResources(hugepage_limits=(HugepageLimit(page_size="../x", limit_bytes=1),)),
    ],
)
async def test_what_no_container_could_be_made_with_is_refused(
    rig: Rig, bad: LinuxResources
) -> None:
    rig.node.host_facts = replace(rig.node.host_facts, cgroup_version=2)
    container = await rig.container(await rig.pod())
    with pytest.raises(InvalidArgument):
        await update_container(rig.node, container.id, bad)
    assert rig.driver.container(container.id).updates == []
    assert rig.node.container(container.id).resources == container.resources
