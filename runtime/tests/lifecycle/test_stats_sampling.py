"""Numbers of running containers; rates need two readings."""

import asyncio

import pytest

from runtime.errors import FailedPrecondition, NotFound, Unavailable
from runtime.lifecycle.container_start import start_container
from runtime.lifecycle.container_stop import stop_container
from runtime.lifecycle.stats_sampling import container_stats, list_container_stats, sample_cpu
from runtime.records.container import ContainerRecord
from runtime.records.list_filter import ContainerFilter
from runtime.records.resources import CgroupUsage, CpuUsage, MemoryUsage, WritableLayerUsage
from runtime.tests.lifecycle.rig import Rig, container_config

SECOND = 1_000_000_000


def use(rig: Rig, container: ContainerRecord, *, at: int, cpu: int) -> None:
    rig.host.usage[container.cgroups_path] = CgroupUsage(
        cpu=CpuUsage(timestamp_ns=at, usage_core_ns=cpu),
        memory=MemoryUsage(
            timestamp_ns=at,
            usage_bytes=10,
            working_set_bytes=8,
            rss_bytes=6,
            available_bytes=0,
            page_faults=1,
            major_page_faults=0,
        ),
    )


async def running(rig: Rig) -> ContainerRecord:
    container = await rig.container(await rig.pod())
    await start_container(rig.node, container.id)
    use(rig, container, at=SECOND, cpu=0)
    return rig.node.container(container.id)


async def test_a_fresh_container_has_counters_and_no_rate(rig: Rig) -> None:
    container = await running(rig)
    stats = await container_stats(rig.node, container.id)
    assert stats.container == container
    assert stats.usage.memory.working_set_bytes == 8
    assert stats.usage.cpu.usage_nano_cores is None
    assert stats.writable_layer is not None


async def test_the_rate_is_told_against_the_last_sample(rig: Rig) -> None:
    container = await running(rig)
    await sample_cpu(rig.node)
    use(rig, container, at=3 * SECOND, cpu=SECOND)
    stats = await container_stats(rig.node, container.id)
    assert stats.usage.cpu.usage_nano_cores == SECOND // 2
    use(rig, container, at=3 * SECOND + 1000, cpu=2 * SECOND)
    again = await container_stats(rig.node, container.id)
    assert again.usage.cpu.usage_nano_cores == SECOND // 2


async def test_missing_and_ended_containers_have_no_numbers(rig: Rig) -> None:
    container = await running(rig)
    with pytest.raises(NotFound):
        await container_stats(rig.node, "f" * 64)
    await stop_container(rig.node, container.id, 0)
    with pytest.raises(FailedPrecondition, match="exited"):
        await container_stats(rig.node, container.id)
    assert await list_container_stats(rig.node, ContainerFilter()) == ()


async def test_those_without_a_cgroup_or_that_fail_are_left_out_of_the_list(rig: Rig) -> None:
    container = await running(rig)
    await rig.container(rig.node.sandbox(container.sandbox_id), container_config("other"))
    found = await list_container_stats(rig.node, ContainerFilter())
    assert [one.container.id for one in found] == [container.id]
    rig.host.fail("cgroup_usage", Unavailable("cgroup", "cannot be read"), times=2)
    assert await list_container_stats(rig.node, ContainerFilter()) == ()


async def test_a_failed_sample_stops_no_other(rig: Rig) -> None:
    container = await running(rig)
    rig.host.fail("cgroup_usage")
    await sample_cpu(rig.node)
    await sample_cpu(rig.node)
    assert rig.node.live[container.id].cpu_sample is not None


async def test_a_writable_layer_is_counted_once_in_a_while(rig: Rig) -> None:
    container = await running(rig)
    layer = rig.node.paths.layer(container.id) / "upper"
    rig.host.layers[layer] = WritableLayerUsage(
        timestamp_ns=1, mountpoint="/", used_bytes=4096, inodes_used=2
    )
    for _ in range(3):
        stats = await container_stats(rig.node, container.id)
        assert stats.writable_layer == rig.host.layers[layer]
    assert len(rig.host.called("layer_usage")) == 1


async def test_a_layer_that_takes_long_does_not_hold_up_the_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime.lifecycle import stats_sampling

    monkeypatch.setattr(stats_sampling, "_LAYER_SECONDS", 0)
    container = await running(rig)
    rig.host.hang("layer_usage")
    async with asyncio.timeout(30):
        stats = await container_stats(rig.node, container.id)
    assert stats.writable_layer is None
